// A certified provider of OpenID Connect on a free port of this machine, for one site. It prints its issuer,
// then a line for each grant. Arguments: the folder of its library, the site's origin.
import http from 'node:http';

const [, , library, site] = process.argv;
const { default: Provider } = await import(`${library}/node_modules/oidc-provider/lib/index.js`);

const client = (client_id, token_endpoint_auth_method) => ({
  client_id,
  ...(token_endpoint_auth_method === 'none' ? {} : { client_secret: 'a secret that: both know' }),
  token_endpoint_auth_method,
  redirect_uris: [`${site}/oauth2/callback`],
  post_logout_redirect_uris: [`${site}/bye`],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
});

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client('basic', 'client_secret_basic'),
      client('post', 'client_secret_post'),
      client('public', 'none'),
    ],
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@shop.test`, roles: ['editor'], groups: ['staff'] }),
    }),
    claims: { openid: ['sub', 'roles', 'groups'], email: ['email'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['a key of the test'] },
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    issueRefreshToken: () => true,
    pkce: { required: () => true },
    rotateRefreshToken: () => true,
    ttl: { AccessToken: 3, IdToken: 3600, Session: 3600, Grant: 3600, Interaction: 3600, RefreshToken: 3600 },
  });
  for (const event of ['grant.success', 'grant.error', 'grant.revoked', 'server_error']) {
    provider.on(event, (ctx, error) =>
      console.log(event, ctx.oidc?.params?.grant_type, error?.error ?? '', error?.error_detail ?? ''));
  }
  server.on('request', provider.callback());
  console.log(issuer);
});
