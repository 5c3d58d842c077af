"use strict";

// config.json is written at deployment: {"api": "https://…"}. Empty means this page's own address.
const EVERY_MS = 5000;
const TIMEOUT_MS = 4000;
const WORDS = { ok: "funziona", unavailable: "non risponde" };

const show = (id, text) => {
  document.getElementById(id).textContent = text ?? "–";
};

const ask = async (url) => {
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
  return answer.json(); // /health answers in JSON when it is 503, too
};

const refresh = async (api) => {
  let health = {};
  let version = {};
  try {
    [health, version] = await Promise.all([ask(`${api}/health`), ask(`${api}/version`)]);
  } catch {
    // Nothing answered: what is shown below says so.
  }
  const well = health.status === "ok";
  document.getElementById("status").className = well ? "well" : "ill";
  show("headline", well ? "Tutto funziona" : "Il servizio ha un problema");
  show("checked", `controllato alle ${new Date().toLocaleTimeString("it-IT")}`);
  show("release", version.release);
  show("schema", version.schema_revision);
  show("database", WORDS[health.database]);
  show("cache", WORDS[health.cache]);
  setTimeout(refresh, EVERY_MS, api);
};

ask("config.json")
  .then((config) => refresh((config.api ?? "").replace(/\/+$/, "")))
  .catch(() => show("headline", "config.json manca o non è valido"));
