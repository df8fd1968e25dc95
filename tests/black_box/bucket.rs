//! Files in a bucket: a server that others wrote, Python's `moto`, which checks keys and signatures. `make test` installs it where it
//! can; elsewhere these tests say that they did not run.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::TryStreamExt as _;
use object_store::{ObjectStore as _, aws::AmazonS3Builder};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinHandle},
    time::sleep,
};

use crate::support::{
    PATIENCE,
    answer::{Answer, http},
    frame::{frame, on},
    port,
    rules::{Run, acked, ended},
    server::{Server, Setup},
    user::User,
};

const BUCKET: &str = "netra-files";

/// The running server; killed when dropped.
struct Bucket {
    child: Child,
    base: String,
    key: String,
    secret: String,
}

impl Bucket {
    /// Starts it with one user and one bucket; nothing if it is not installed.
    async fn start() -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3-server/bin/moto_server");
        if !program.exists() {
            println!("not run: this test needs tools/s3.sh to have installed an S3 server");
            return None;
        }
        let port = port::free();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            // What it takes without a key: the four requests below.
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "4")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto starts");
        let base = format!("http://127.0.0.1:{port}");
        let mut bucket = Self { child, base, key: String::new(), secret: String::new() };
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < end, "moto is not ready");
            sleep(Duration::from_millis(50)).await;
        }
        bucket.iam(&[("Action", "CreateUser")]).await;
        let policy =
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }] });
        let policy = policy.to_string();
        bucket.iam(&[("Action", "PutUserPolicy"), ("PolicyName", "all"), ("PolicyDocument", &policy)]).await;
        let made = bucket.iam(&[("Action", "CreateAccessKey")]).await;
        let text = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).expect(name);
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        (bucket.key, bucket.secret) = (text("AccessKeyId"), text("SecretAccessKey"));
        let created = Answer::of(http().put(format!("{}/{BUCKET}", bucket.base))).await;
        assert_eq!(created.status, 200, "{}", created.body);
        Some(bucket)
    }

    async fn iam(&self, fields: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("Version", "2010-05-08"), ("UserName", "netra")]).extend_pairs(fields);
        // The service is told by the scope of a signature, which is not looked at yet.
        let scope =
            "AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x";
        let request = http().post(&self.base).header("authorization", scope);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.finish());
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// The names in the bucket.
    async fn names(&self) -> Vec<String> {
        let store = AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(&self.base)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id(&self.key)
            .with_secret_access_key(&self.secret)
            .build()
            .expect("a client");
        let objects: Vec<_> = store.list(None).try_collect().await.expect("a list");
        objects.into_iter().map(|object| object.location.to_string()).collect()
    }

    /// A server that keeps its files here.
    fn setup(&self, bucket: &str, secret: &str, endpoint: &str) -> Setup {
        let setup = Setup::new().set("NETRA_ATTACHMENTS_URL", format!("s3://{bucket}/netra/files"));
        let setup = setup.set("NETRA_ATTACHMENTS_ENDPOINT", endpoint).set("NETRA_ATTACHMENTS_REGION", "us-east-1");
        setup.set("AWS_ACCESS_KEY_ID", &self.key).set("AWS_SECRET_ACCESS_KEY", secret)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A way to the bucket that can be cut.
struct Link {
    address: SocketAddr,
    /// What is connected; nothing when the link is cut.
    open: Arc<Mutex<Option<Vec<AbortHandle>>>>,
    task: JoinHandle<()>,
}

impl Link {
    async fn to(base: &str) -> Self {
        let target = base.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let connected = Arc::clone(&open);
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                if let Some(open) = &mut *connected.lock().unwrap_or_else(PoisonError::into_inner) {
                    let copying = tokio::spawn(async move {
                        if let Ok(mut far) = TcpStream::connect(target).await {
                            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                    open.push(copying.abort_handle());
                }
            }
        });
        Self { address, open, task }
    }

    fn cut(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        open.into_iter().flatten().for_each(|connection| connection.abort());
    }

    fn mend(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long a file may take: the server asks a bucket again that was silent for a minute.
const SILENT: Duration = Duration::from_secs(90);

async fn upload(user: &User, name: &str, content: &[u8]) -> Answer {
    let request = http().post(format!("{}/api/attachments?name={name}", user.base())).header("cookie", user.cookies());
    let request = request.timeout(SILENT);
    Answer::of(request.header("content-type", "application/octet-stream").body(content.to_vec())).await
}

/// A file that is kept: its id and its address.
async fn kept(user: &User, name: &str, content: &[u8]) -> (String, String) {
    let answer = upload(user, name, content).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told = answer.json()["attachment"].clone();
    let text = |field: &str| told[field].as_str().expect("text").to_owned();
    (text("id"), text("url"))
}

async fn bytes(user: &User, url: &str) -> Result<Vec<u8>, u16> {
    let request = http().get(format!("{}{url}", user.base())).header("cookie", user.cookies()).timeout(SILENT);
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    if status == 200 { Ok(response.bytes().await.expect("the file").to_vec()) } else { Err(status) }
}

/// Sends a message with a file; its thread.
async fn send(user: &User, id: &str) -> String {
    let socket = user.connect().await;
    let payload = json!({ "agent": "guide", "content": "Keep this.", "attachments": [id] });
    let ack = socket.call(frame("start_agent", payload)).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
    run.thread
}

/// Waits until the bucket holds so many files.
async fn holds(bucket: &Bucket, count: usize) {
    let end = Instant::now() + PATIENCE;
    loop {
        let names = bucket.names().await;
        if names.len() == count {
            return;
        }
        assert!(Instant::now() < end, "{names:?}, not {count}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn files_are_kept_in_a_bucket_and_go_with_their_thread() {
    let Some(bucket) = Bucket::start().await else { return };
    let server = bucket.setup(BUCKET, &bucket.secret, &bucket.base).start().await;
    server.logged(0, "the place was tried", |log| log.contains("files are kept in a bucket")).await;
    let user = User::dev(&server).await;
    // Three parts of a multipart upload.
    let long: Vec<u8> = (0..12_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let (id, url) = kept(&user, "long.bin", &long).await;
    let (small, small_url) = kept(&user, "small.bin", b"\x00\x01 few").await;
    assert!(bytes(&user, &url).await.expect("the file") == long, "all of it, as it was");
    assert_eq!(bytes(&user, &small_url).await.as_deref(), Ok(b"\x00\x01 few".as_slice()));
    let mut names = bucket.names().await;
    names.sort();
    let mut wanted = [format!("netra/files/{id}"), format!("netra/files/{small}")];
    wanted.sort();
    assert_eq!(names, wanted);
    let thread = send(&user, &id).await;
    assert_eq!(user.delete(&format!("/api/attachments/{small}")).await.status, 204);
    holds(&bucket, 1).await;
    assert_eq!(user.delete(&format!("/api/threads/{thread}")).await.status, 204);
    holds(&bucket, 0).await;
}

#[tokio::test]
async fn a_bucket_that_is_away_loses_nothing() {
    let Some(bucket) = Bucket::start().await else { return };
    let link = Link::to(&bucket.base).await;
    let server = bucket.setup(BUCKET, &bucket.secret, &link.base()).start().await;
    let user = User::dev(&server).await;
    let (id, url) = kept(&user, "kept.bin", b"\x00 kept").await;
    let (waits, waits_url) = kept(&user, "waits.bin", b"\x00 waits").await;
    let thread = send(&user, &id).await;
    link.cut();
    let begun = Instant::now();
    let refused = upload(&user, "new.bin", b"\x00 new").await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (503, Some("server_busy")),
        "{}",
        refused.body
    );
    assert!(begun.elapsed() < PATIENCE, "{:?}: {}", begun.elapsed(), server.log());
    assert_eq!(bytes(&user, &url).await, Err(503), "{}", server.log());
    // A message with a file that is there already goes out, and what is deleted goes later.
    let other = send(&user, &waits).await;
    assert_eq!(user.delete(&format!("/api/threads/{thread}")).await.status, 204);
    server.logged(0, "it could not go yet", |log| log.contains("a file could not be removed yet")).await;
    link.mend();
    assert_eq!(bytes(&user, &waits_url).await.as_deref(), Ok(b"\x00 waits".as_slice()));
    let (again, _) = kept(&user, "new.bin", b"\x00 new").await;
    // Whatever is taken back has the next sweep begin at once.
    assert_eq!(user.delete(&format!("/api/attachments/{again}")).await.status, 204);
    holds(&bucket, 1).await;
    assert_eq!(user.get(&format!("/api/threads/{other}")).await.status, 200);
    check_secret(&server, &bucket);
}

#[tokio::test]
async fn a_bucket_that_refuses_is_said_at_start_and_to_who_sends_a_file() {
    let Some(bucket) = Bucket::start().await else { return };
    let nowhere = format!("http://127.0.0.1:{}", port::free());
    let wrong = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12";
    for (name, setup, said) in [
        ("a wrong key", bucket.setup(BUCKET, wrong, &bucket.base), "the key is refused"),
        ("no such bucket", bucket.setup("no-such-bucket", &bucket.secret, &bucket.base), "there is no such bucket"),
        ("nobody there", bucket.setup(BUCKET, &bucket.secret, &nowhere), "it does not answer"),
    ] {
        let server = setup.start().await;
        let user = User::dev(&server).await;
        let refused = upload(&user, "new.bin", b"\x00 new").await;
        let answer = refused.json();
        assert_eq!((refused.status, answer["error"]["code"].as_str()), (503, Some("server_busy")), "{name}: {answer}");
        assert!(!answer.to_string().contains('<'), "{name}: the bucket's words are for the log: {answer}");
        let at_start = |log: &str| log.lines().any(|line| line.contains("files cannot be kept") && line.contains(said));
        server.logged(0, &format!("{name}: said at start"), at_start).await;
        check_secret(&server, &bucket);
        assert!(!server.log().contains(wrong), "{name}: the key is in the log");
        // All else works.
        send_words(&user).await;
    }
}

fn check_secret(server: &Server, bucket: &Bucket) {
    assert!(!server.log().contains(&bucket.secret), "the key is in the log");
}

async fn send_words(user: &User) {
    let socket = user.connect().await;
    let ack = socket.call(frame("start_agent", json!({ "agent": "guide", "content": "Hello." }))).await;
    let run = Run { thread: acked(&ack, "thread_id"), id: acked(&ack, "run_id") };
    socket.call(on(&run.thread, "subscribe", json!({ "after_seq": 0 }))).await;
    ended(&socket, &run).await;
}
