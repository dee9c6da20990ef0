//! A client that behaves, over the `h2` library, with blocking calls for tests.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Version};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::DEADLINE;
use crate::tls::TlsOptions;

/// One connection. Methods panic at their deadline and where the peer breaks the protocol.
#[derive(Debug)]
pub struct Http2Client {
    runtime: Runtime,
    send: SendRequest<Bytes>,
    driver: JoinHandle<Result<(), h2::Error>>,
    host: String,
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Http2Response {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, when there were any.
    pub trailers: Option<HeaderMap>,
}

impl Http2Response {
    /// The value of a field, or of a trailer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let trailers = self.trailers.as_ref();
        let value = self.headers.get(name).or_else(|| trailers.and_then(|trailers| trailers.get(name)));
        value.and_then(|value| value.to_str().ok())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http2Client {
    /// Connects by prior knowledge.
    #[must_use]
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::with(address, &h2::client::Builder::new())
    }

    /// Connects with settings of the test's own.
    #[must_use]
    #[track_caller]
    pub fn with(address: SocketAddr, builder: &h2::client::Builder) -> Self {
        Self::over(address, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            speak(builder, stream).await
        })
        .expect("the gateway speaks")
    }

    /// Connects by TLS; `options` should offer the protocol.
    ///
    /// # Errors
    /// No connection, no handshake, or not this protocol.
    pub fn try_connect_tls(
        address: SocketAddr,
        options: &TlsOptions,
        server_name: &str,
    ) -> std::io::Result<Self> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(std::io::Error::other)?;
        Self::over(address, async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let stream = TlsConnector::from(options.config()).connect(name, stream).await?;
            speak(&h2::client::Builder::new(), stream).await
        })
    }

    fn over(
        address: SocketAddr,
        connecting: impl Future<Output = std::io::Result<Speaking>>,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (send, driver) = runtime.block_on(connecting)?;
        Ok(Self { runtime, send, driver, host: address.to_string() })
    }

    /// Runs a future on the client's runtime.
    ///
    /// # Panics
    /// When it takes longer than [`DEADLINE`].
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let timed = async { tokio::time::timeout(DEADLINE, future).await };
        self.runtime.block_on(timed).expect("an end before the deadline")
    }

    /// Runs a future that sees to its deadlines itself.
    pub(crate) fn run_long<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Asks for this host from now on.
    #[must_use]
    #[track_caller]
    pub fn for_host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Begins a request to `http://HOST` and a path; the host is the address unless said otherwise.
    ///
    /// # Errors
    /// The connection takes no request.
    pub fn begin(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        ends: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut request = Request::builder().version(Version::HTTP_2).method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.uri(format!("http://{}{path}", self.host)).body(()).expect("a request");
        let mut send = self.send.clone();
        self.run(poll_fn(|context| send.poll_ready(context)))?;
        send.send_request(request, ends)
    }

    /// Sends a request with this body and reads the response.
    ///
    /// # Errors
    /// The stream or the connection ended before the response did.
    pub fn try_request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Http2Response, h2::Error> {
        let (response, mut stream) = self.begin(method, path, headers, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(Bytes::copy_from_slice(body), true)?;
        }
        self.run(read(response))
    }

    /// As [`try_request`](Self::try_request).
    #[track_caller]
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Http2Response {
        self.try_request(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// A GET.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Http2Response {
        self.request("GET", path, &[], b"")
    }

    /// Reads a whole response.
    ///
    /// # Errors
    /// As above.
    pub fn read(&self, response: ResponseFuture) -> Result<Http2Response, h2::Error> {
        self.run(read(response))
    }

    /// Reads whole responses, all at once, so that none keeps the window of the connection from another.
    pub fn read_all(
        &self,
        responses: Vec<(ResponseFuture, SendStream<Bytes>)>,
    ) -> Vec<Result<Http2Response, h2::Error>> {
        self.run(async {
            let reading = |(response, stream)| {
                tokio::spawn(async move {
                    let response = read(response).await;
                    // Dropped before, it would reset a stream whose body is still being sent.
                    drop(stream);
                    response
                })
            };
            let tasks: Vec<_> = responses.into_iter().map(reading).collect();
            let mut read = Vec::with_capacity(tasks.len());
            for task in tasks {
                read.push(task.await.expect("reading does not panic"));
            }
            read
        })
    }

    /// Waits for the end of the connection.
    ///
    /// # Panics
    /// When it is still there at the deadline.
    #[track_caller]
    pub fn wait_for_end(self) -> Result<(), h2::Error> {
        let Self { runtime, send, driver, .. } = self;
        drop(send);
        let ended = runtime.block_on(async { tokio::time::timeout(DEADLINE, driver).await });
        ended.expect("an end before the deadline").expect("the driver does not panic")
    }

    /// Lets the connection move for a while: what has arrived is taken in.
    pub fn pause(&self, duration: Duration) {
        // What is over at once would let the connection's task do nothing.
        let duration = duration.max(Duration::from_millis(1));
        self.runtime.block_on(async { tokio::time::sleep(duration).await });
    }
}

async fn read(response: ResponseFuture) -> Result<Http2Response, h2::Error> {
    let (parts, mut stream) = response.await?.into_parts();
    let (body, trailers) = read_body(&mut stream).await?;
    Ok(Http2Response { status: parts.status.as_u16(), headers: parts.headers, body, trailers })
}

async fn read_body(stream: &mut RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok((body, stream.trailers().await?))
}

type Speaking = (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>);

async fn speak<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    builder: &h2::client::Builder,
    stream: T,
) -> std::io::Result<Speaking> {
    let (send, connection) = builder.handshake::<_, Bytes>(stream).await.map_err(std::io::Error::other)?;
    Ok((send, tokio::spawn(connection)))
}
