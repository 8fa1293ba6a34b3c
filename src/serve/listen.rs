//! One socket for IPv4 and IPv6: the kubelet's probes and workers come over either, as the cluster has it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that wait to be accepted at most.
const BACKLOG: i32 = 1_024;

/// Listens on an address. `[::]` is all addresses of both families; where IPv6 is off, it is those of IPv4.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    listen_by(address, both).await
}

async fn listen_by(
    address: SocketAddr,
    both: impl Fn(SocketAddr) -> io::Result<TcpListener>,
) -> io::Result<TcpListener> {
    if !is_all(address) {
        return TcpListener::bind(address).await;
    }
    match both(address) {
        Err(error) if lacks_ipv6(&error) => {
            tracing::info!(%error, port = address.port(), "no IPv6 on this node: listening on IPv4 alone");
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        opened => opened,
    }
}

fn both(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    // Said in any case: net.ipv6.bindv6only of the node may say otherwise.
    socket.set_only_v6(false)?;
    // As tokio does: a restart does not wait for the connections of the last process.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_all(address: SocketAddr) -> bool {
    address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::net::TcpStream;

    use super::*;
    use crate::args::Cli;

    /// The address of an option in the chart's template, without its port.
    fn of_chart(option: &str) -> &'static str {
        let template = include_str!("../../charts/maptask-operator/templates/deployment.yaml");
        template.split_once(option).unwrap().1.split_once(":{{").unwrap().0
    }

    #[tokio::test]
    async fn the_addresses_of_the_chart_take_connections_over_ipv4_and_ipv6() {
        let run = Cli::parse_from(["maptask-operator"]).run;
        for (option, default) in
            [("--listen=", Some(run.listen)), ("--exchange-listen=", run.exchange.exchange_listen.0)]
        {
            let mut address: SocketAddr = format!("{}:0", of_chart(option)).parse().unwrap();
            assert_eq!(default.unwrap().ip(), address.ip(), "{option}: the default is another");
            let listener = listen(address).await.unwrap();
            address.set_port(listener.local_addr().unwrap().port());
            TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).await.unwrap();
            if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
                TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn where_ipv6_is_off_all_addresses_are_those_of_ipv4() {
        for errno in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL] {
            let listener = listen_by("[::]:0".parse().unwrap(), |_| Err(errno.into())).await.unwrap();
            assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::UNSPECIFIED);
        }
        let error = listen_by("[::]:0".parse().unwrap(), |_| Err(Errno::ADDRINUSE.into())).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "a port that is taken is no lack of IPv6");
    }
}
