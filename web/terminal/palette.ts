// The terminal's colors: dark in both themes, every color readable on its ground.

import type { ITheme } from '@xterm/xterm';

export const palette: ITheme = {
  background: '#10161c',
  foreground: '#dfe3e6',
  cursor: '#7accde',
  cursorAccent: '#10161c',
  selectionBackground: '#2f5563',
  black: '#2d3843',
  red: '#f0897a',
  green: '#8fd0a2',
  yellow: '#e3bd74',
  blue: '#86b7e8',
  magenta: '#cda3dd',
  cyan: '#7accde',
  white: '#dfe3e6',
  brightBlack: '#8895a1',
  brightRed: '#ffab9e',
  brightGreen: '#b1e4bf',
  brightYellow: '#f3d59c',
  brightBlue: '#aed0f4',
  brightMagenta: '#e1c2ec',
  brightCyan: '#a9e2ee',
  brightWhite: '#ffffff',
};
