/**
 * Sentences that come with results and name something in them, and reasons that the data stages recorded: English, and the same
 * in Chinese. A place `{name}` stands for any text; what is in it is not translated.
 */
export const toldPhrases = {
  // Length-controlled win rates
  '{rows} rows on {questions} questions: expected at least 3 rows on 2 questions':
    '{questions} 题上共 {rows} 行；至少需要 2 题上的 3 行',
  'every preference is {value}: the rate is at its end, whatever the lengths':
    '所有偏好都是 {value}：无论长度如何，胜率已到尽头',
  'length alone tells wins from losses, so that the coefficients have no finite value: set a ridge':
    '仅凭长度就能区分胜负，系数没有有限值：请设置岭参数',

  // What the figures of reinforcement learning warn of
  'the policy has run off: {kl} nats an answer from the reference; raise klBeta or lower the rate':
    '策略已跑偏：与参考模型相距每个回答 {kl} 奈特；请提高 klBeta 或降低学习率',
  'entropy has collapsed: {now} nats a token, {first} at first; answers repeat':
    '熵已塌缩：每词元 {now} 奈特，最初为 {first}；回答趋于重复',
  'answers have become long: {now} tokens, {first} at first': '回答变长：{now} 个词元，最初为 {first}',
  'all rewards of a prompt have been equal for {n} iterations: there is nothing to learn from':
    '同一提示的奖励连续 {n} 次迭代全部相同：无从学习',

  // Why a row was taken away, in detail
  'finish reason {reason}': '结束原因：{reason}',
  'words: {n}': '词数：{n}',
  'characters: {n}': '字符数：{n}',
  'F {f} with: {nearest}': 'F 值 {f}，最相近的是：{nearest}',
  'ROUGE-L F {f}': 'ROUGE-L F 值 {f}',
  '{run} {n} times in a row': '{run} 连续出现 {n} 次',
  '{run} {n} times, {percent} % of the text': '{run} 出现 {n} 次，占全文的 {percent}%',
  'expected Chinese, got kana or Hangul': '应为中文，却是假名或谚文',
  'expected Chinese': '应为中文',
  'expected English, got CJK characters': '应为英文，却有中日韩文字',
  'ends with a colon': '以冒号结尾',
  'expected an input and an output': '应有输入和输出',
  'expected an input and nothing else': '应只有输入',
  '{what} is missing': '缺少 {what}',
  'the instruction is not in Chinese': '指令不是中文',
  '"input" should have stayed empty': '“input” 应保持为空',
  '"input" is empty and should not be': '“input” 不应为空',

  // What training says of a row
  '{id}: cut from {whole} to {kept} tokens at a turn’s end': '{id}：在一轮结束处由 {whole} 个词元截至 {kept} 个',
  "{id}: cut from {whole} to {kept} tokens at a turn's end": '{id}：在一轮结束处由 {whole} 个词元截至 {kept} 个',
  '{id}: {n} tokens, the limit is {limit}': '{id}：{n} 个词元，上限为 {limit}',
  '{id}: no token to learn (empty answer, or weight 0)': '{id}：没有可学的词元（回答为空，或权重为 0）',
} as const;
