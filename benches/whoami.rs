//! Authenticated requests a second of the real daemon, beside a bare hyper server on one thread in the same run.
//!
//! `cargo bench --bench whoami`. Rounds alternate; the numbers are medians. Both servers are processes of their own, and
//! one thread of this one sends to both. Target: the daemon answers at least 0.6 of what bare hyper does. On a
//! machine with other work the processor time a request says more.

mod support;

use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming, server::conn::http1};
use support::{cpu_seconds, load, median, percentile, quiet_daemon, request};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1500);
const HELLO: &str = "--serve-hello";

fn main() {
    if std::env::args().any(|arg| arg == HELLO) {
        return serve_hello();
    }
    let daemon = quiet_daemon();
    daemon.operator().post("/api/agents", serde_json::json!({"name": "atlas"})).expect(200);
    let issued = daemon.operator().post("/api/agents/atlas/token/issue", serde_json::json!({})).expect(200).json();
    let token = issued["token"].as_str().expect("a token");
    let hello = Hello::start();
    println!("GET /api/auth/whoami with an agent's token; {ROUNDS} alternating rounds of {ROUND:?}, medians");
    println!(
        "{:>11} {:>10} {:>10} {:>7} {:>8} {:>8} {:>9} {:>9}",
        "connections", "hyper/s", "taosd/s", "ratio", "p50 ms", "p99 ms", "hyper us", "taosd us"
    );
    for connections in [32, 64] {
        let ours = vec![request("GET", "/api/auth/whoami", token, ""); connections];
        let theirs = vec![request("GET", "/", token, ""); connections];
        // Warm both up.
        load(&hello.address, &theirs, ROUND / 5);
        load(&daemon.address, &ours, ROUND / 5);
        let (mut bare, mut full, mut p50, mut p99) = (vec![], vec![], vec![], vec![]);
        let (mut bare_cpu, mut cpu) = (vec![], vec![]);
        for _ in 0..ROUNDS {
            let (rate, _, micros) = measured(&hello.address, &theirs, hello.child.id());
            bare.push(rate);
            bare_cpu.push(micros);
            let (rate, latencies, micros) = measured(&daemon.address, &ours, daemon.pid());
            cpu.push(micros);
            full.push(rate);
            p50.push(percentile(&latencies, 0.5));
            p99.push(percentile(&latencies, 0.99));
        }
        let (bare, full) = (median(&bare), median(&full));
        println!(
            "{connections:>11} {bare:>10.0} {full:>10.0} {:>7.2} {:>8.2} {:>8.2} {:>9.1} {:>9.1}",
            full / bare,
            median(&p50),
            median(&p99),
            median(&bare_cpu),
            median(&cpu)
        );
    }
}

/// One round: replies a second, latencies, and microseconds of the server's processor time a request.
fn measured(address: &str, requests: &[Vec<u8>], pid: u32) -> (f64, Vec<Duration>, f64) {
    let before = cpu_seconds(pid);
    let (rate, latencies) = load(address, requests, ROUND);
    let micros = (cpu_seconds(pid) - before) * 1e6 / latencies.len() as f64;
    (rate, latencies, micros)
}

/// This program again, as the bare server.
struct Hello {
    child: Child,
    address: String,
}

impl Hello {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program).arg(HELLO).stdout(Stdio::piped()).spawn().expect("a process");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut address).expect("its address");
        Self { child, address: address.trim().to_owned() }
    }
}

impl Drop for Hello {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// hyper as it comes: one thread, one small body.
fn serve_hello() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.set_nodelay(true);
            tokio::task::spawn_local(async move {
                let _ = http1::Builder::new().serve_connection(TokioIo(stream), service_fn(hello)).await;
            });
        }
    });
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// tokio's stream as hyper wants it.
struct TokioIo(tokio::net::TcpStream);

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

impl hyper::rt::Read for TokioIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut chunk = [0; 8 * 1024];
        let room = buf.remaining().min(chunk.len());
        let mut read = ReadBuf::new(&mut chunk[..room]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut read))?;
        buf.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for TokioIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
}
