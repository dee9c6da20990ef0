// An origin of Node's own HTTP, over version 1 or 2 without TLS, on a free port of this machine. It prints where it listens,
// and ends with its standard input. Arguments: the version; for version 1, after how many milliseconds it closes a
// connection on which nothing is asked.
import http from 'node:http';
import http2 from 'node:http2';

const [, , version, idle] = process.argv;
const counts = { connections: 0, requests: 0 };

const pages = {
  // The number that is asked for, and nothing of the body is read.
  unread: (request, response, number) => response.end(number),
  // The number once the body has been read.
  read: (request, response, number) => {
    request.resume().on('end', () => response.end(number));
  },
  // So many hundred bytes, of a length that is told.
  sized: (request, response, number) => {
    response.writeHead(200, { 'content-length': number * 100 });
    response.end(Buffer.alloc(number * 100, 'a'));
  },
  // So many pieces of a hundred bytes.
  pieces: (request, response, number) => {
    response.writeHead(200);
    for (let piece = 0; piece < number; piece += 1) response.write(Buffer.alloc(100, 'a'));
    response.end();
  },
  // The same, and then trailers.
  trailers: (request, response, number) => {
    response.writeHead(200, { trailer: 'x-pieces' });
    for (let piece = 0; piece < number; piece += 1) response.write(Buffer.alloc(100, 'a'));
    response.addTrailers({ 'x-pieces': number });
    response.end();
  },
  // Every piece of the body as it comes.
  echo: (request, response) => {
    response.writeHead(200);
    response.flushHeaders?.();
    request.pipe(response);
  },
  // Says with its answer that the connection takes no more.
  last: (request, response, number) => {
    response.end(number);
    request.stream.session.close();
  },
  counts: (request, response) => response.end(JSON.stringify(counts)),
};

const answer = (request, response) => {
  counts.requests += 1;
  // As `keepAliveTimeout`, to which Node adds a second.
  if (idle) response.on('finish', () => request.socket.setTimeout(Number(idle)));
  const [, page, number = ''] = request.url.split('/');
  if (pages[page]) return pages[page](request, response, number);
  response.writeHead(404);
  return response.end();
};

const server = version === '1'
  ? http.createServer(answer)
  : http2.createServer({ maxSessionMemory: 100 }, answer);
server.on('connection', () => { counts.connections += 1; });
server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
process.stdin.resume().on('end', () => process.exit());
