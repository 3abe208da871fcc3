/** The one part of undici that is bundled; its package gives types for the whole only. */
declare module 'undici/lib/dispatcher/client.js' {
  import { Client } from 'undici';
  export = Client;
}
