// Runs the jose verifier from docs/verifiers.md over tokens: `verify.mjs SNIPPET`, the tokens by name as JSON on
// standard input. Says as JSON which were accepted, and the code of each refusal. Decides nothing itself.
import { pathToFileURL } from "node:url";
import { text } from "node:stream/consumers";

const { verify } = await import(pathToFileURL(process.argv[2]).href);
const outcomes = {};
for (const [name, token] of Object.entries(JSON.parse(await text(process.stdin)))) {
  outcomes[name] = await verify(token).then(
    () => "accepted",
    (refusal) => refusal.code ?? refusal.name,
  );
}
console.log(JSON.stringify(outcomes));
