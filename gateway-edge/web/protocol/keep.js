// What this browser keeps between two visits: the device's key, its token, and messages that nobody acknowledged yet. It is the
// browser's database, because a key that cannot be exported can be kept there and nowhere else.

const DATABASE = "gatehouse";
const VERSION = 1;

/** @typedef {"device" | "login" | "outbox"} Shelf */

/** @type {Promise<IDBDatabase> | undefined} */
let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, VERSION);
    asked.onupgradeneeded = () => {
      for (const shelf of ["device", "login", "outbox"]) asked.result.createObjectStore(shelf);
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("the browser's database is held by another page"));
  });
  return opened;
}

/**
 * @template T
 * @param {Shelf} shelf
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} ask
 * @returns {Promise<T>}
 */
async function within(shelf, mode, ask) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(shelf, mode);
    const asked = ask(transaction.objectStore(shelf));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error);
  });
}

/** @param {Shelf} shelf @param {string} key @returns {Promise<any>} */
export const take = (shelf, key) => within(shelf, "readonly", (store) => store.get(key));

/** @param {Shelf} shelf @returns {Promise<any[]>} */
export const takeAll = (shelf) => within(shelf, "readonly", (store) => store.getAll());

/** @param {Shelf} shelf @param {string} key @param {unknown} value */
export const keep = (shelf, key, value) => within(shelf, "readwrite", (store) => store.put(value, key));

/** @param {Shelf} shelf @param {string} key */
export const drop = (shelf, key) => within(shelf, "readwrite", (store) => store.delete(key));

/** @param {Shelf} shelf */
export const empty = (shelf) => within(shelf, "readwrite", (store) => store.clear());
