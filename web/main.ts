// The browser application's start: fonts, colors, the theme, the root element.

import '@fontsource-variable/ibm-plex-sans/wght.css';
import '@fontsource-variable/ibm-plex-sans/wght-italic.css';
import '@fontsource/ibm-plex-mono/400.css';
import '@fontsource/ibm-plex-mono/600.css';
import './styles/tokens.css';
import './app/berth-app.ts';
import { applyTheme, storedTheme } from './app/theme.ts';

applyTheme(storedTheme());
