/**
 * Instructions that text alone cannot do: they want something drawn, played or opened, or speak of a picture or file
 * that is not there. A photo that is described, or a command about files, passes. Found by words, so it errs both
 * ways; the paper (Wang et al. 2022) drops every instruction with the word image, picture, graph or file in it.
 */

const anyOf = (...words: string[]): string => `(?:${words.join('|')})`;

const stillMedia = '(?:image|picture|photo|photograph|drawing|painting|illustration|diagram|flow ?chart|infographic)s?';
const otherMedia = '(?:videos?|animations?|gifs?|audio|recordings?|voice memos?|screenshots?|mp3s?|pdfs?)';
/** “Write a character sketch” is a task for words. */
const sketches = String.raw`(?<!(?:character|biographical)\s)sketch(?:es)?`;
const media = anyOf(stillMedia, otherMedia, sketches);
const files = anyOf('files?', 'attachments?', 'spreadsheets?', 'web ?pages?', 'websites?', 'links?', 'urls?');
const makes = '(?:generate|create|make|produce|design|upload|download|attach|send|record|play|edit|crop|film|find)';
const points = anyOf(
  'this',
  'these',
  '(?:the )?(?:following|attached|uploaded)',
  'the (?:given|provided)',
  '(?:in|at|on|from|shown in) the',
);
/** “Draw up a list”, “draw a conclusion”. */
const inWords = String.raw`(?:(?:a|an|the|some|your)\s+)?(?:conclusion|comparison|parallel|inference|lesson)s?`;
const drawnInWords = String.raw`(?!\s+(?:up|on|from|${inWords}))`;
const between = (words: number): string => String.raw`(?:\s+[\w’'-]+){0,${words}}?\s+`;

const english: readonly RegExp[] = [
  /\b(?:https?:\/\/|www\.)\S/iu,
  new RegExp(String.raw`(?:^|[.!?]\s+)(?:please\s+)?(?:draw|sketch)\b${drawnInWords}`, 'iu'),
  new RegExp(String.raw`\b${makes}${between(3)}${media}\b`, 'iu'),
  new RegExp(String.raw`\b${points}(?:\s+\w+)?\s+${media}\b(?!\s+(?:is\s+)?described)`, 'iu'),
  new RegExp(String.raw`\b(?:the attached|attached|uploaded|enclosed)${between(1)}${files}\b`, 'iu'),
  new RegExp(String.raw`\b(?:open|visit|click|follow|download|go to|browse)${between(2)}${files}\b`, 'iu'),
  /\b(?:listen to|watch)\s+(?:the|this|these)\b/iu,
];

const chineseMedia = '(?:图片|图像|图画|照片|插画|漫画|视频|动画|音频|录音|截图|流程图|思维导图)';

const chinese: readonly RegExp[] = [
  /(?:https?:\/\/|www\.)\S/iu,
  new RegExp(
    `(?:画|绘制|生成|制作|设计|拍摄?|录制?|上传|下载|发送|播放|剪辑)[^。！？；，\\n]{0,8}${chineseMedia}`,
    'u',
  ),
  /(?:^|[。！？]|请|帮我)画(?!蛇添足|龙点睛|饼)[一个幅张出下]/u,
  new RegExp(`(?:这|该|上|下|如|附|所给|给出)的?[一]?[张幅段个]?${chineseMedia}`, 'u'),
  /(?:如|(?<!以)下|上)图(?![案形标])|附件|(?:打开|访问|点击)[^。！？；，\n]{0,8}(?:链接|网址|网页|网站|文件)/u,
];

/** The words that give it away; undefined where there are none. */
export function asksForMoreThanText(instruction: string): string | undefined {
  for (const pattern of [...english, ...chinese]) {
    const found = pattern.exec(instruction)?.[0].trim();
    if (found !== undefined) return found;
  }
  return undefined;
}
