//! Measures authenticated GET requests a second through the edge and its pool, beside a bare hyper server on one thread
//! in the same run. Only the ratio counts, because the load generator shares the cores with both.
//!
//! `cargo bench --bench edge [-- SECONDS]`

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::AUTHORIZATION;
use hyper::http::{Request, Response, StatusCode};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use taosd::http::edge::{self, Listeners};
use taosd::limits::Limits;
use taosd::rest::codes;
use taosd::rest::error::{ApiError, Dialect};
use taosd::rest::head::Head;
use taosd::rest::reply::Reply;
use taosd::rest::service::{Outcome, Service};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local};

const BODY: &str = r#"{"name":"bench","role":"admin"}"#;
const REQUEST: &[u8] = b"GET /api/auth/whoami HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\
    Authorization: Bearer taos_user_0123456789012345678901234567890123456789012\r\n\r\n";

struct Whoami;

impl Service for Whoami {
    type Plan = ();
    type Admitted = ();

    fn plan(&self, head: &Head) -> Result<((), u64), Reply> {
        if head.segments == ["api", "auth", "whoami"] {
            return Ok(((), 1024 * 1024));
        }
        Err(ApiError::new(codes::NOT_FOUND).reply(Dialect::Taos))
    }

    fn admit(&self, head: &Head, (): &()) -> Result<(), Reply> {
        match head.header(&AUTHORIZATION) {
            Some(value) if value.starts_with("Bearer taos_user_") => Ok(()),
            _ => Err(ApiError::new(codes::INVALID_TOKEN).reply(Dialect::Taos)),
        }
    }

    fn principal(&self, (): &()) -> Option<String> {
        Some("bench".into())
    }

    fn run(&self, _: Arc<Head>, (): (), (): (), _: Bytes) -> Outcome {
        Outcome::Done(Reply::typed(StatusCode::OK, "application/json", BODY))
    }

    fn render(&self, error: &ApiError, _: Option<&Head>) -> Reply {
        error.reply(Dialect::Taos)
    }

    fn finished(&self, _: &Head, _: &str, _: u16, _: u64, _: Duration) {}
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(3);
    let time = Duration::from_secs(seconds);
    let bare = start_bare();
    let edge = start_edge();
    println!(
        "connections  bare req/s  edge req/s  ratio  edge p50 us  edge p99 us  cpu us a request: bare  edge  pool"
    );
    for connections in [1, 8, 32, 64] {
        // Alternate, so that a slow moment of the machine affects both.
        let mut bare_run = Load::default();
        let mut edge_run = Load::default();
        let before = cpu_time();
        for _ in 0..6 {
            bare_run.add(load(bare, connections, time / 6));
            edge_run.add(load(edge, connections, time / 6));
        }
        let cpu = cpu_time();
        let used = |thread: usize, run: &Load| (cpu[thread] - before[thread]) * 1e6 / run.micros.len() as f64;
        let (cpu_bare, cpu_edge, cpu_pool) = (used(0, &bare_run), used(1, &edge_run), used(2, &edge_run));
        let (b, e) = (bare_run.rate(), edge_run.rate());
        let (p50, p99) = (edge_run.percentile(50), edge_run.percentile(99));
        println!(
            "{connections:>11}  {b:>10.0}  {e:>10.0}  {:>5.2}  {p50:>11}  {p99:>11}{cpu_bare:>29.2}  {cpu_edge:>4.2}  {cpu_pool:>4.2}",
            e / b
        );
    }
}

/// Seconds of processor time so far of the bare server, the edge's thread and the pool's threads.
fn cpu_time() -> [f64; 3] {
    let mut seconds = [0.0; 3];
    for task in std::fs::read_dir("/proc/self/task").expect("threads").flatten() {
        let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let name = read("comm");
        let nanoseconds: f64 = read("schedstat").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
        let thread = ["bare", "edge", "worker"].iter().position(|n| name.starts_with(n) && !name.starts_with("edge-"));
        if let Some(thread) = thread {
            seconds[thread] += nanoseconds / 1e9;
        }
    }
    seconds
}

fn start_edge() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let listeners = Listeners { tcp: vec![listener], ..Listeners::default() };
    let limits = Limits { max_connections_per_peer: 256, ..Limits::default() };
    let running = edge::start(Arc::new(Whoami), limits, listeners).expect("the edge starts");
    std::mem::forget(running);
    address
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Starts hyper alone: the rate that the edge could reach if its limits, checks and pool cost nothing.
fn start_bare() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::Builder::new().name("bare".to_owned());
    let served = thread.spawn(move || {
        LocalSet::new().block_on(&runtime(), async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                let hello = service_fn(|_: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY.as_bytes()))))
                });
                let http = hyper::server::conn::http1::Builder::new().serve_connection(Bare(stream), hello);
                spawn_local(http);
            }
        });
    });
    served.expect("a thread");
    address
}

struct Bare(TcpStream);

impl Read for Bare {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut to: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        let most = to.remaining().min(bytes.len());
        let mut buffer = ReadBuf::new(&mut bytes[..most]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        to.put_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Bare {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The latencies and the duration of a load.
#[derive(Default)]
struct Load {
    micros: Vec<u32>,
    time: Duration,
}

impl Load {
    fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.time += other.time;
    }

    fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.time.as_secs_f64()
    }

    fn percentile(&mut self, percent: usize) -> u32 {
        self.micros.sort_unstable();
        self.micros.get(self.micros.len() * percent / 100).copied().unwrap_or(0)
    }
}

/// Keeps `connections` busy, each with one request at a time.
fn load(address: SocketAddr, connections: usize, time: Duration) -> Load {
    let taken = Rc::new(RefCell::new(Vec::new()));
    let start = Instant::now();
    LocalSet::new().block_on(&runtime(), async {
        let clients: Vec<_> =
            (0..connections).map(|_| spawn_local(client(address, start + time, taken.clone()))).collect();
        for client in clients {
            client.await.expect("a client");
        }
    });
    Load { micros: taken.take(), time: start.elapsed() }
}

async fn client(address: SocketAddr, end: Instant, taken: Rc<RefCell<Vec<u32>>>) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.set_nodelay(true).expect("a socket");
    let mut reply = [0; 4096];
    loop {
        let start = Instant::now();
        if start >= end {
            return;
        }
        stream.write_all(REQUEST).await.expect("a request");
        let mut got = 0;
        while !reply[..got].ends_with(BODY.as_bytes()) {
            let n = stream.read(&mut reply[got..]).await.expect("a reply");
            assert!(n > 0, "closed: {:?}", String::from_utf8_lossy(&reply[..got]));
            got += n;
        }
        assert!(reply.starts_with(b"HTTP/1.1 200"));
        taken.borrow_mut().push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}
