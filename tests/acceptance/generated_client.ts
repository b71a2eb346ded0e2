// Asks a server with what orval and openapi-typescript made of its document, without a cast, and prints what it got.
import process from "node:process";
import * as answers from "./answers.js";
import * as client from "./client.js";
import type { paths } from "./typed.js";

type Get<Path extends keyof paths> = paths[Path] extends {
  get: { responses: { 200: { content: { "application/json": infer Body } } } };
}
  ? Body
  : never;
// Nothing that is `any` passes for typed.
type Typed<T> = 0 extends 1 & T ? never : T;

const [url, key, modelId] = process.argv.slice(2);
if (url === undefined || key === undefined || modelId === undefined) throw new Error("url, key, model id");
const send = globalThis.fetch;
globalThis.fetch = (path, init) => send(new URL(String(path), url), init);
const options = { headers: { Authorization: `Bearer ${key}` } };

async function read(path: string): Promise<unknown> {
  const answer = await fetch(path, options);
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function done<Answer extends { status: number }>(answer: Answer): Extract<Answer, { status: 200 }> {
  if (is200(answer)) return answer;
  throw new Error(`It was refused with ${answer.status}.`);
}

function is200<Answer extends { status: number }>(answer: Answer): answer is Extract<Answer, { status: 200 }> {
  return answer.status === 200;
}

const listed: Typed<Get<"/v1/models">> = done(await client.openaiModelsList({}, options)).data;
const explained: Typed<Get<"/api/models/access">> = done(
  await client.modelsAccess({ model_id: modelId }, options),
).data;
const keys = done(await client.keysList({ page_size: 5 }, options)).data;
const found: Typed<Get<"/api/models/list">> = done(await client.modelsList({ tag: ["fast"] }, options)).data;
const catalog: Typed<Get<"/api/models">> = done(await client.modelsCatalog({}, options)).data;
const picked: Typed<Get<"/api/models">> = done(await client.modelsCatalog({ format: "cli" }, options)).data;
const one = await client.modelsSwitch({ model_id: modelId, is_enabled: true }, options);
const several = await client.modelsSwitch({ updates: [{ model_id: modelId, is_enabled: true }] }, options);
if (Array.isArray(catalog) || !Array.isArray(picked)) throw new Error("The two forms of the catalog are mixed up.");

const first: string | undefined = listed.data[0]?.id;
const checks: boolean[] = explained.checks.map((check) => check.ok);
const names: string[] = keys.items.map((shown) => shown.name);
const total: Typed<Get<"/api/keys">>["total"] = keys.total;

answers.openaiModelsListResponse.parse(await read("/v1/models"));
answers.modelsAccessResponse.parse(await read(`/api/models/access?model_id=${modelId}`));
answers.keysListResponse.parse(await read("/api/keys"));
answers.keysCurrentResponse.parse(await read("/api/keys/current"));
answers.modelsListResponse.parse(await read("/api/models/list"));
answers.modelsCatalogResponse.parse(await read("/api/models"));
answers.modelsCatalogResponse.parse(await read("/api/models?format=cli"));
answers.modelsTagsResponse.parse(await read("/api/models/tags"));
answers.settingsRetrieveResponse.parse(await read("/api/settings"));
answers.providerListsOpenrouterResponse.parse(await read("/api/models/openrouter"));

console.log(
  JSON.stringify({
    first,
    checks: checks.every((ok) => ok),
    keys: [names.length, total],
    found: [found.items.map((item) => item.id), found.total],
    catalog: catalog.models.map((item) => item.id),
    picked: picked.map((row) => row.slug),
    switched: [done(one).data.ok, done(several).data.ok],
  }),
);
