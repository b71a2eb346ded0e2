// Asks a server as OpenAI's SDK for Node does and prints what it got as JSON.
import OpenAI from "openai";

const [baseURL, apiKey, limitedKey, ...ids] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const nobody = new OpenAI({ baseURL, apiKey: "mdx_wrong", maxRetries: 0 });
const limited = new OpenAI({ baseURL, apiKey: limitedKey, maxRetries: 0 });

async function refused(call) {
  try {
    await call();
  } catch (error) {
    return {
      class: error.constructor.name,
      status: error.status,
      code: error.code,
      type: error.type,
      param: error.param,
      request_id: error.requestID,
      retry_after: error.headers?.get?.("retry-after"),
    };
  }
  return { class: null };
}

const listed = [];
for await (const model of client.models.list()) listed.push(model.id);
const retrieved = [];
for (const id of ids) retrieved.push((await client.models.retrieve(id)).id);
await limited.models.list();
console.log(
  JSON.stringify({
    listed,
    retrieved,
    unauthenticated: await refused(() => nobody.models.list()),
    missing: await refused(() => client.models.retrieve("no/such")),
    limited: await refused(() => limited.models.list()),
  }),
);
