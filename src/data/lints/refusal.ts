/**
 * Answers in which a machine speaks of itself, or does not do what it was asked. Words of our own, English and Chinese:
 * they err both ways. A character in a story may say the same; so refusals are looked for in the opening alone.
 */

const machine = '(?:AI|artificial intelligence|(?:AI |large )?language model|virtual assistant|chatbot)';
const machineZh = '(?:AI|人工智能|大?语言模型|虚拟助手|聊天机器人)';
/** “as an AI researcher, she …” is of somebody else. */
const kind = '(?: (?:language )?(?:model|assistant|system|chatbot|program))?';

/** Speaking of itself as a machine. */
const asAnAi = [
  new RegExp(String.raw`\bas an? ${machine}${kind}(?=\s*[,.;:]|\s+(?:I|my|it)\b)`, 'iu'),
  new RegExp(String.raw`\bI(?: am|['’]m) (?:just |only |merely )?an? ${machine}\b`, 'iu'),
  new RegExp(`(?:作为|身为)(?:一[个名款位种])?${machineZh}(?!的?(?:领域|行业|研究|专家|教授|工程|公司|从业))`, 'iu'),
  new RegExp(`我(?:只|仅仅|只不过)?是(?:一[个名款位种])?${machineZh}`, 'iu'),
];

/** The words that give it away, anywhere in the text; undefined where there are none. */
export function speaksAsMachine(text: string): string | undefined {
  for (const pattern of asAnAi) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What is looked at, in characters: a refusal comes first, its reasons after it. */
const openingLength = 160;

const anyOf = (...words: readonly string[]): string => `(?:${words.join('|')})`;

const sorry = anyOf(
  "(?:I(?:['’]m| am)|we(?:['’]re| are)) (?:very |so |really |terribly )?(?:sorry|afraid)",
  '(?:my )?apologies',
  'I apologi[sz]e',
  'sorry',
  'unfortunately',
  'regrettably',
);
const cannot = anyOf(
  "can(?:['’]t|not| not)",
  "could(?:n['’]t| not)",
  "won['’]t",
  'will not',
  "(?:am|['’]m) (?:unable|not able|not programmed|not allowed|not designed) to",
  '(?:must|have to) (?:decline|refuse) to',
);
/** What an assistant says it does not do; others are sorry that they cannot come. */
const deed = anyOf(
  'help (?:you )?with|assist|support|continue|engage|discuss|recommend|predict|tell you|answer|comply|fulfil+',
  'provide|give|offer|share|show|display|generate|create|produce|write|draw|complete|perform|run|execute|process',
  'access|browse|search|open|view|see|play|schedule|remind|set up|translate|post',
  String.raw`do (?:that|this|so)\b`,
  'make (?:a |any )?(?:judg|recommend|predict|medical|image)',
);
const lack = `(?:do not|don['’]t) (?:have|possess) ${anyOf(
  'the (?:ability|capability)',
  'access',
  '(?:any )?(?:personal|real-time|enough|sufficient|physical|up-to-date)',
)}`;
const english = [
  new RegExp(
    String.raw`^${sorry}[,.;:!]?\s+(?:but\s+|that\s+)?I\s+(?:${cannot}\s+${deed}|${lack}|(?:do not|don['’]t) (?:know|understand))`,
    'iu',
  ),
  new RegExp(String.raw`^I\s*${cannot}\s+${deed}`, 'iu'),
  new RegExp(String.raw`^I\s+${lack}`, 'iu'),
  /^(?:it is|it['’]s) (?:not (?:possible|appropriate) for me|impossible for me|against my)\b/iu,
];

const sorryZh = `(?:${anyOf('(?:很|非常|十分|真的)?(?:抱歉|对不起|遗憾)', '不好意思')}[，,。！!；]?\\s*(?:但是?|不过)?)`;
const cannotZh = anyOf('无法', '不能', '没有?办法', '没有能力', '不可以', '无权', '不便', '做不到');
const deedZh = anyOf(
  '帮|协助|提供|回答|完成|满足|支持|告诉|回复|讨论|继续|参与|推荐|预测|为[您你]|给出|直接',
  '生成|创[建作]|制作|编?写|访问|打开|查看|浏览|显示|执行|处理|进行',
);
const chinese = [
  new RegExp(`^${sorryZh}[^。！？\\n]{0,14}${cannotZh}[^。！？\\n]{0,6}${deedZh}`, 'u'),
  new RegExp(`^我(?:现在|目前|暂时)?${cannotZh}[^。！？\\n]{0,4}${deedZh}`, 'u'),
  new RegExp(`^${sorryZh}?我(?:并)?没有(?:能力|个人|实时|访问|足够|权限|情感|感情)`, 'u'),
];

/** Who is asked what it is may say so. */
const asksWhoItIs =
  /\b(?:who|what|are|were) (?:are |is )?you\b|\byour(?:self| name| model| training| creators?)\b|\b(?:AI|chatbot|language model)\b|你(?:是谁|是什么|是不是|是由|是[^，。？]{0,12}吗|叫什么)|人工智能|语言模型|聊天机器人/iu;

/** The words of a refusal, or of a machine that speaks of itself, at the beginning; undefined where there are none. */
export function refusesAtOnce(instruction: string, answer: string): string | undefined {
  const opening = [...answer.trimStart()].slice(0, openingLength).join('');
  for (const pattern of [...english, ...chinese]) {
    const found = pattern.exec(opening)?.[0];
    if (found !== undefined) return found;
  }
  return asksWhoItIs.test(instruction) ? undefined : speaksAsMachine(opening);
}
