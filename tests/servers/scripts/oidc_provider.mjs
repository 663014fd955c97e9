// A certified provider of OpenID Connect (npm oidc-provider) with three people in it: node oidc_provider.mjs FOLDER PORT BASE SEED
// FOLDER holds node_modules, BASE is our server's address, and another SEED makes other keys.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, port, base, seed] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load("oidc-provider");
const { generateKeyPair, exportJWK } = await load("jose");

const { privateKey } = await generateKeyPair("RS256", { extractable: true });
const key = { ...(await exportJWK(privateKey)), use: "sig", alg: "RS256", kid: `key-${seed}` };
const GROUPS = { ada: ["ml-team", "chess"], grace: ["ops", "ml-team"], eve: [] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "flyball", client_secret: "a secret: of & ours", redirect_uris: [`${base}/login/sso/callback`],
    post_logout_redirect_uris: [`${base}/login/sso/done`], backchannel_logout_uri: `${base}/login/sso/logout`,
    backchannel_logout_session_required: true,
  }],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email"], groups: ["groups"] },
  scopes: ["openid", "profile", "email", "groups", "offline_access"],
  cookies: { keys: ["for tests alone"] },
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of the tests`, preferred_username: id, email: `${id}@example.org`, groups: GROUPS[id] ?? [] }),
  }),
  jwks: { keys: [key] },
  // It would not call this machine itself, which in tests is all there is.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  pkce: { required: () => true },
  ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600, AuthorizationCode: 60, IdToken: 600 },
});
provider.listen(Number(port), "127.0.0.1");
