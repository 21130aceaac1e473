/** Chinese where there is a Chinese character in the user's turn, else English: a guess, for rows that do not say. */
export const guessLanguage = (userTurn: string): 'zh' | 'en' => (/\p{Script=Han}/u.test(userTurn) ? 'zh' : 'en');
