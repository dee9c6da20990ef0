// A client of Node's own HTTP/2, which prints what went well and fails with the first thing that did not. Arguments: an URL
// behind which are the pages of the origin beside this; the file of an authority's certificate, when it is one of TLS.
import fs from 'node:fs';
import http2 from 'node:http2';

const [, , url, authority] = process.argv;
const PATIENCE = 20_000;
const ROUND = 100;

const session = http2.connect(url, authority ? { ca: fs.readFileSync(authority) } : {});
const fail = (...words) => {
  console.error(...words);
  process.exit(1);
};
session.on('error', (error) => fail('the connection:', error));
session.on('goaway', (code) => fail('the connection: GOAWAY', code));

// All of an answer, once its stream has ended.
const ask = (path, method, body) => new Promise((resolve, reject) => {
  const request = session.request({ ':path': path, ':method': method });
  const got = { length: 0, text: '', trailers: {} };
  request.on('response', (head) => { got.status = head[':status']; });
  request.on('trailers', (trailers) => { got.trailers = trailers; });
  request.on('data', (piece) => {
    got.length += piece.length;
    if (got.text.length < 100) got.text += piece;
  });
  request.on('end', () => { got.ended = true; });
  request.on('error', reject);
  request.on('close', () => resolve({ ...got, code: request.rstCode }));
  request.end(body);
});

// A round of so many at once, each of which has to come whole.
const round = (page, method, body, whole) => Promise.all(Array.from({ length: ROUND }, async (_, number) => {
  const got = await ask(`/${page}/${number}`, method, body);
  if (got.status !== 200 || !got.ended || got.code !== http2.constants.NGHTTP2_NO_ERROR || !whole(got, number)) {
    throw new Error(`${page}/${number}: ${JSON.stringify(got)}`);
  }
}));

const rounds = async (count, ...what) => {
  for (let turn = 0; turn < count; turn += 1) await round(...what);
};

const isHundreds = (got, number) => got.length === number * 100;
const isNumber = (got, number) => got.text === String(number);
const some = Buffer.alloc(3000, 'b');

const converse = () => new Promise((resolve, reject) => {
  const request = session.request({ ':path': '/echo', ':method': 'POST' });
  let said = 0;
  request.on('data', (piece) => {
    if (String(piece) !== `message ${said}`) reject(new Error(`${said} comes back as ${piece}`));
    said += 1;
    if (said < 20) request.write(`message ${said}`);
    else request.end();
  });
  request.on('error', reject);
  request.on('end', () => (said === 20 ? resolve() : reject(new Error(`ends after ${said}`))));
  request.write('message 0');
});

const checks = {
  'answers of a known length': () => rounds(10, 'sized', 'GET', undefined, isHundreds),
  'answers in pieces': () => rounds(3, 'pieces', 'GET', undefined, isHundreds),
  'short answers': () => rounds(15, 'read', 'GET', undefined, isNumber),
  trailers: () => rounds(5, 'trailers', 'GET', undefined,
    (got, number) => isHundreds(got, number) && got.trailers['x-pieces'] === String(number)),
  'bodies that are read': () => rounds(5, 'read', 'POST', some, isNumber),
  'bodies that nobody reads': () => rounds(5, 'unread', 'POST', some, isNumber),
  'a conversation': converse,
  'a service that ends its connections': () => rounds(3, 'last', 'POST', some, isNumber),
};

for (const [name, check] of Object.entries(checks)) {
  const hung = setTimeout(() => fail(`${name}: took too long`), PATIENCE);
  try {
    await check();
  } catch (error) {
    fail(`${name}:`, error);
  }
  clearTimeout(hung);
  console.log('ok', name);
}
process.exit();
