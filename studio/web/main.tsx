/** Starts the page. The invitation is the part of the address behind `#`, which a browser sends to nobody. */
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';

addEventListener('hashchange', () => location.reload());
createRoot(document.getElementById('app') as HTMLElement).render(<App token={location.hash.slice(1)} />);
