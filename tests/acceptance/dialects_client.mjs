// What OpenRouter's and Vercel's clients make of a server, as JSON.
import { createGateway } from "@ai-sdk/gateway";
import { OpenRouter } from "@openrouter/sdk";

const [url, key] = process.argv.slice(2);
const router = new OpenRouter({ apiKey: key, serverURL: `${url}/openrouter/api/v1`, retryConfig: { strategy: "none" } });
const gateway = createGateway({ apiKey: key, baseURL: `${url}/gateway/v3/ai` });
const nobody = createGateway({ apiKey: "nobody", baseURL: `${url}/gateway/v3/ai` });

async function refused(ask) {
  try {
    return await ask();
  } catch (error) {
    return { class: error.name, status: error.statusCode, message: error.message };
  }
}

const pages = [];
for await (const page of await router.models.list({ limit: 2, offset: 0 })) pages.push(page.result.data.map((m) => m.id));
const unpaged = [];
for await (const page of await router.models.list()) unpaged.push(...page.result.data);
const one = unpaged.find((model) => model.id.split("/").length === 2);
const [author, slug] = one.id.split("/");
const models = (await gateway.getAvailableModels()).models;
console.log(
  JSON.stringify({
    pages,
    openrouter: unpaged.map((model) => model.id),
    "openrouter limits": Object.fromEntries(unpaged.map((model) => [model.id, model.contextLength])),
    "openrouter prices": Object.fromEntries(unpaged.map((model) => [model.id, model.pricing.prompt])),
    user: (await router.models.listForUser({ bearer: key })).result.data.length,
    count: (await router.models.count()).data.count,
    retrieved: (await router.models.get({ author, slug })).data.id === one.id,
    missing: await refused(() => router.models.get({ author: "no", slug: "such" })),
    gateway: models.map((model) => model.id),
    "gateway prices": Object.fromEntries(models.map((model) => [model.id, model.pricing?.input ?? null])),
    nobody: await refused(() => nobody.getAvailableModels()),
  }),
);
