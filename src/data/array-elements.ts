/**
 * The elements of a JSON array out of text that comes in pieces: an array of any length in the memory of one element.
 * It counts brackets outside of strings and leaves the rest to JSON.parse, element by element.
 */
export class ArrayElements {
  #before: 'array' | 'element' | 'end' = 'array';
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** The element that is not over yet. */
  #text = '';
  #count = 0;

  /** The elements that end in this piece. Throws Error where there is text after the array. */
  push(piece: string): string[] {
    const elements: string[] = [];
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const code = piece.charCodeAt(i);
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === backslash) this.#isEscaped = true;
        else if (code === quote) this.#isInString = false;
      } else if (code === quote && this.#before === 'element') this.#isInString = true;
      else if (this.#before !== 'element') {
        if (this.#before === 'array' && code === openBracket) this.#before = 'element';
        else if (!isSpace(code)) throw new Error(`expected nothing after the array, found ${JSON.stringify(piece[i])}`);
        from = i + 1;
      } else if (code === openBracket || code === openBrace) this.#depth += 1;
      else if (this.#depth > 0 && (code === closeBracket || code === closeBrace)) this.#depth -= 1;
      else if (this.#depth === 0 && (code === comma || code === closeBracket)) {
        const text = this.#text + piece.slice(from, i);
        // Between the brackets of an empty array there is no element; elsewhere nothing is a broken one.
        if (code === comma || this.#count > 0 || text.trim() !== '') elements.push(text);
        this.#text = '';
        this.#count += 1;
        from = i + 1;
        if (code === closeBracket) this.#before = 'end';
      }
    }
    if (this.#before === 'element') this.#text += piece.slice(from);
    return elements;
  }

  /** Throws Error where the array is not whole. */
  end(): void {
    if (this.#before !== 'end') throw new Error(`it ends inside element ${this.#count}`);
  }
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
