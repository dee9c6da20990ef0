//! Opening a connection, whatever the servers' arrangement.

use crate::servers::Servers;
use crate::settings::{StoreAddress, StoreSettings, Topology};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, ServerErrorKind, TlsCertificates, TlsMode, Value,
};

/// A connection on which questions are pipelined. Cloning it is cheap.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What was opened.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    /// Which life of the server it leads to.
    pub(crate) life: String,
    /// The servers behind it, where there are several.
    pub(crate) servers: Option<Servers>,
}

/// How often a command goes to another server of a cluster than it went to before.
const REDIRECTS: usize = 2;

impl Connection {
    /// Sends a command. In a cluster it follows its key to the server that has it now; and `again` it is sent when the
    /// connection was lost before an answer came, which is for commands that may be executed twice.
    pub(crate) async fn send(&mut self, command: &Cmd, again: bool) -> RedisResult<Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(command).await?.extract_error_of(),
            Self::Cluster(connection) => {
                let mut answer = once(connection, command).await;
                for _ in 0..REDIRECTS {
                    let Err(error) = &answer else { break };
                    answer = match error.kind() {
                        ErrorKind::Server(ServerErrorKind::Ask) => follow(connection, command, error).await,
                        // Nobody has executed it, and the client has looked anew who has which key.
                        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::ReadOnly)
                        | ErrorKind::ClusterConnectionNotFound => once(connection, command).await,
                        _ if again && (error.is_io_error() || error.is_connection_dropped()) => {
                            once(connection, command).await
                        }
                        _ => break,
                    };
                }
                answer
            }
        }
    }

    /// Asks for any answer. Those of a cluster the client connects anew by itself, as soon as they are lost.
    pub(crate) async fn greet(&mut self) -> RedisResult<()> {
        match self {
            Self::One(_) => self.send(&redis::cmd("PING"), true).await.map(|_| ()),
            Self::Cluster(_) => Ok(()),
        }
    }

    /// The servers that hold keys: each primary of a cluster, as far as it answers.
    pub(crate) async fn servers(&mut self) -> RedisResult<Vec<Server>> {
        let Self::Cluster(connection) = self else { return Ok(vec![Server(None)]) };
        let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let answers: Vec<(String, Value)> =
            redis::from_redis_value(connection.route_command(redis::cmd("PING"), all).await?)?;
        let server = |(address, answer): (String, Value)| {
            answer.extract_error_of()?;
            let (host, port) = address.rsplit_once(':').unwrap_or_default();
            let port =
                port.parse().map_err(|_| (ErrorKind::UnexpectedReturnType, "an address without a port"))?;
            Ok(Server(Some(SingleNodeRoutingInfo::ByAddress { host: host.into(), port })))
        };
        answers.into_iter().map(server).collect()
    }

    /// Asks the server that has this slot for any answer.
    pub(crate) async fn greet_holder(&mut self, slot: u16) -> RedisResult<()> {
        let Self::Cluster(connection) = self else { return self.greet().await };
        let there = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
        let answer = connection.route_command(redis::cmd("PING"), RoutingInfo::SingleNode(there)).await?;
        answer.extract_error_of().map(|_| ())
    }

    /// Sends a command to one of the servers, wherever its keys would lie.
    pub(crate) async fn send_to(&mut self, server: &Server, command: &Cmd) -> RedisResult<Value> {
        match (self, &server.0) {
            (Self::Cluster(connection), Some(server)) => {
                let there = RoutingInfo::SingleNode(server.clone());
                connection.route_command(command.clone(), there).await?.extract_error_of()
            }
            (connection, _) => connection.send(command, true).await,
        }
    }
}

impl Connection {
    /// Removes keys that lie on one server, with one question. Those that have left it meanwhile are followed.
    pub(crate) async fn unlink(&mut self, server: &Server, keys: &[Vec<u8>]) -> RedisResult<Value> {
        let unlink = |key: &Vec<u8>| {
            let mut command = redis::cmd("UNLINK");
            command.arg(key);
            command
        };
        let mut all = redis::pipe();
        // They lie in different slots, so each is a command of its own.
        keys.iter().map(unlink).for_each(|command| {
            all.add_command(command);
        });
        let answers = match (&mut *self, &server.0) {
            (Self::Cluster(connection), Some(server)) => {
                connection.route_pipeline(all, 0, keys.len(), server.clone()).await
            }
            (Self::Cluster(_), None) => Ok(Vec::new()),
            (Self::One(connection), _) => connection.req_packed_commands(&all, 0, keys.len()).await,
        };
        let mut answers = match answers {
            Ok(answers) => answers.into_iter(),
            Err(error) if error.is_io_error() || error.is_connection_dropped() => return Err(error),
            Err(_) => Vec::new().into_iter(),
        };
        for key in keys {
            if answers.next().is_none_or(|answer| answer.extract_error_of().is_err()) {
                self.send(&unlink(key), true).await?;
            }
        }
        Ok(Value::Okay)
    }
}

async fn once(connection: &mut ClusterConnection, command: &Cmd) -> RedisResult<Value> {
    connection.req_packed_command(command).await?.extract_error_of()
}

/// Asks the server to which a key is on its way, as the one that it leaves has said.
async fn follow(connection: &mut ClusterConnection, command: &Cmd, error: &RedisError) -> RedisResult<Value> {
    let there = error.redirect_node().and_then(|(address, _)| address.rsplit_once(':'));
    let there = there.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let Some((host, port)) = there else { return Err(error.clone()) };
    let mut both = redis::pipe();
    both.cmd("ASKING").add_command(command.clone());
    let route = SingleNodeRoutingInfo::ByAddress { host, port };
    let answers = connection.route_pipeline(both, 1, 1, route).await?;
    answers.into_iter().next_back().unwrap_or(Value::Nil).extract_error_of()
}

/// One of the servers behind a connection.
pub(crate) struct Server(Option<SingleNodeRoutingInfo>);

/// A server's error is a value at first.
trait Extract {
    fn extract_error_of(self) -> RedisResult<Value>;
}

impl Extract for Value {
    fn extract_error_of(self) -> RedisResult<Value> {
        match self {
            Self::ServerError(error) => Err(error.into()),
            value => Ok(value),
        }
    }
}

/// Opens a connection and asks which life of the server this is. A cluster has no single one: there the
/// generation is always the same.
pub(crate) async fn open(settings: &StoreSettings) -> RedisResult<Opened> {
    // The deadline of an answer is kept by the one who asks, so that it is the same for every arrangement.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(None);
    let certificates = certificates(settings);
    match &settings.topology {
        Topology::Single(place) => {
            let info =
                address(place, settings.tls).into_connection_info()?.set_redis_settings(login(settings));
            let client = match certificates {
                Some(certificates) if settings.tls => Client::build_with_tls(info, certificates)?,
                _ => Client::open(info)?,
            };
            one(client.get_multiplexed_async_connection_with_config(&config).await?).await
        }
        Topology::Sentinel { master, sentinels } => {
            let sentinels = sentinels.iter().map(|place| address(place, settings.tls));
            let mut builder = SentinelClientBuilder::new(sentinels, master, SentinelServerType::Master)?
                .set_client_to_redis_db(i64::from(settings.database));
            if settings.tls {
                builder = builder
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure);
            }
            if let Some(certificates) = certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates);
            }
            if let Some(username) = &settings.username {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = &settings.password {
                builder = builder.set_client_to_redis_password(password.expose());
            }
            one(builder.build()?.get_async_connection_with_config(&config).await?).await
        }
        Topology::Cluster(places) => cluster(settings, places, certificates).await,
    }
}

async fn cluster(
    settings: &StoreSettings,
    places: &[StoreAddress],
    certificates: Option<TlsCertificates>,
) -> RedisResult<Opened> {
    let mut builder = ClusterClientBuilder::new(places.iter().map(|place| address(place, settings.tls)))
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.connect_timeout)
        // The client cannot know which commands may be executed twice: see [`Connection::send`].
        .retries(0);
    if settings.tls {
        builder = builder.tls(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.password(password.expose());
    }
    let mut connection = builder.build()?.get_async_connection().await?;
    let servers = Some(Servers::new(ranges(&mut connection).await?));
    Ok(Opened { connection: Connection::Cluster(connection), life: "cluster".into(), servers })
}

/// The ranges of slots, each with the address of the server that has it.
async fn ranges(connection: &mut ClusterConnection) -> RedisResult<Vec<(u16, u16, (String, u16))>> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    // Whoever answers first.
    let anybody =
        RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, Some(ResponsePolicy::OneSucceeded)));
    let answer = connection.route_command(command, anybody).await?.extract_error_of()?;
    let mut ranges = Vec::new();
    for range in redis::from_redis_value::<Vec<Vec<Value>>>(answer)? {
        let mut parts = range.into_iter();
        let (Some(first), Some(last), Some(Value::Array(server))) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let mut server = server.into_iter();
        let host = server.next().map(redis::from_redis_value::<Option<String>>).transpose()?.flatten();
        let port = server.next().map(redis::from_redis_value).transpose()?.unwrap_or(0);
        let (first, last) = (redis::from_redis_value(first)?, redis::from_redis_value(last)?);
        ranges.push((first, last, (host.unwrap_or_default(), port)));
    }
    Ok(ranges)
}

/// A server gives each of its lives a name at random.
async fn one(mut connection: MultiplexedConnection) -> RedisResult<Opened> {
    let mut command = redis::cmd("INFO");
    command.arg("server");
    let said: String = command.query_async(&mut connection).await?;
    let life = said.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or("unknown");
    let life = life.trim().chars().take(16).collect();
    Ok(Opened { connection: Connection::One(connection), life, servers: None })
}

fn address(place: &StoreAddress, tls: bool) -> ConnectionAddr {
    let (host, port) = (place.host.clone(), place.port);
    if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    }
}

fn login(settings: &StoreSettings) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(i64::from(settings.database));
    if let Some(username) = &settings.username {
        login = login.set_username(username);
    }
    if let Some(password) = &settings.password {
        login = login.set_password(password.expose());
    }
    login
}

fn certificates(settings: &StoreSettings) -> Option<TlsCertificates> {
    let root_cert = Some(settings.ca.as_ref()?.clone().into_bytes());
    Some(TlsCertificates { client_tls: None, root_cert })
}
