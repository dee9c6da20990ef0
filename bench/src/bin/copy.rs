//! The floor of the benchmarks: what a proxy costs that understands nothing.
//!
//! `bench-copy PORT ORIGIN` listens on 127.0.0.1 and carries bytes between each client and a connection of its
//! own to the origin, on one thread. It reads no request, so nothing that forwards HTTP from user space over
//! the same event loop can be much cheaper.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse::<u16>().ok());
    let origin = arguments.next().and_then(|origin| origin.parse::<SocketAddr>().ok());
    let (Some(port), Some(origin)) = (port, origin) else {
        return Err(io::Error::other("usage: bench-copy PORT ORIGIN"));
    };
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (client, _) = listener.accept().await?;
            tokio::spawn(async move {
                // A connection that fails takes nothing with it; the load generator counts the error.
                let _ended = carry(client, origin).await;
            });
        }
    })
}

async fn carry(mut client: TcpStream, origin: SocketAddr) -> io::Result<()> {
    let mut server = TcpStream::connect(origin).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
