/** A key on the page, for the eye; a screen reader has it from aria-keyshortcuts and the guide. */
export function Key({ name }: { readonly name: string }) {
  return (
    <span className="key" aria-hidden="true">
      {name}
    </span>
  );
}
