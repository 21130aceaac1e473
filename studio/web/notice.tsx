/** A page that says one thing. */
import { type ReactNode, useEffect, useRef } from 'react';

interface NoticeProps {
  readonly title: string;
  readonly lines: readonly string[];
  readonly children?: ReactNode;
}

export function Notice({ title, lines, children }: NoticeProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
    document.title = `${title} – Understudy`;
  }, [title]);
  return (
    <main className="notice">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      {children && <div className="actions">{children}</div>}
    </main>
  );
}
