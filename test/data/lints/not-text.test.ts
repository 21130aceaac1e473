import { expect, test } from 'vitest';
import { asksForMoreThanText } from '../../../src/data/lints/not-text.ts';

test.each([
  ['Draw a house with a red door.', 'Draw'],
  ['Think of a garden. Then sketch it.', undefined],
  ['Think of a garden. Sketch its paths.', '. Sketch'],
  ['Generate a colorful image of a harbor.', 'Generate a colorful image'],
  ['Make a short video about bees.', 'Make a short video'],
  ['What breed is the dog in the photo?', 'in the photo'],
  ['Summarize the attached file.', 'the attached file'],
  ['Open the link and list its headings.', 'Open the link'],
  ['Summarize https://example.org/page in a sentence.', 'https://e'],
  ['Listen to this recording and write it down.', 'this recording'],
  ['画一座房子。', '画一'],
  ['请生成一张海边的图片。', '生成一张海边的图片'],
  ['描述这张照片里的人。', '这张照片'],
  ['如图，求角A的大小。', '如图'],
  ['打开下面的链接并概括内容。', '打开下面的链接'],
])('%s', (instruction, found) => {
  expect(asksForMoreThanText(instruction)).toBe(found);
});

test.each([
  'Write a caption for the photo described: a boy kneads dough.',
  'Write a shell command that shows the five largest files here.',
  'Draw a conclusion from these numbers: 3, 5, 9.',
  'Draw up a list of rules for a shared kitchen.',
  'Write a character sketch of an old sailor.',
  'What picture of the sea does the poem give?',
  'How does a video call work?',
  '“画蛇添足”是什么意思？',
  '给一张老照片写一段说明：祖父站在桥头。',
  '为什么照片放久了会发黄？',
])('%s passes', (instruction) => {
  expect(asksForMoreThanText(instruction)).toBeUndefined();
});
