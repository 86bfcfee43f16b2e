// What vite makes of imports that are not TypeScript.

declare module '*.css';
declare module '*.css?inline' {
  const css: string;
  export default css;
}
declare module '@fontsource-variable/ibm-plex-sans';
