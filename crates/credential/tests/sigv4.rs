//! The examples of the S3 API reference and of the IAM user guide, and what must not be taken for one of them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail by panicking"
)]

use torana_credential::sigv4::{Claim, PathForm, Payload, Refusal, SignedRequest, decode_chunks};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const AT: u64 = 1_369_353_600;

/// A request to the bucket of the examples, signed over these fields besides those that all have.
struct Example {
    method: &'static str,
    path: &'static str,
    query: Option<&'static str>,
    fields: Vec<(String, String)>,
}

impl Example {
    fn new(
        (method, path, query): (&'static str, &'static str, Option<&'static str>),
        hash: &str,
        others: &[(&str, &str)],
        signature: &str,
    ) -> Self {
        let mut fields = vec![
            ("host".to_owned(), String::new()),
            ("x-amz-content-sha256".to_owned(), hash.to_owned()),
            ("x-amz-date".to_owned(), "20130524T000000Z".to_owned()),
        ];
        fields.extend(others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields.sort();
        let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let shown = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={},Signature={signature}",
            names.join(";")
        );
        fields.push(("Authorization".into(), shown));
        Self { method, path, query, fields }
    }

    fn request(&self) -> SignedRequest<'_> {
        let fields = self.fields.iter().filter(|(name, _)| name != "host");
        SignedRequest {
            method: self.method.as_bytes(),
            secure: false,
            host: b"examplebucket.s3.amazonaws.com",
            path: self.path.as_bytes(),
            query: self.query.map(str::as_bytes),
            version: "1.1",
            fields: fields.map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect(),
        }
    }
}

fn verifies(request: &SignedRequest<'_>, secret: &str, form: PathForm) -> Result<bool, Refusal> {
    let claim = Claim::find(request)?.expect("a signature");
    let text = claim.signed_text(request, b"", form)?;
    Ok(claim.verifies(&claim.signing_key(secret), &text))
}

fn examples() -> Vec<Example> {
    let put = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    vec![
        Example::new(
            ("GET", "/test.txt", None),
            EMPTY,
            &[("range", "bytes=0-9")],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        Example::new(
            ("PUT", "/test%24file.text", None),
            put,
            &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        Example::new(
            ("GET", "/", Some("lifecycle")),
            EMPTY,
            &[],
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        Example::new(
            ("GET", "/", Some("max-keys=2&prefix=J")),
            EMPTY,
            &[],
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ]
}

#[test]
fn the_examples_of_s3_verify() {
    for example in examples() {
        let request = example.request();
        assert_eq!(verifies(&request, SECRET, PathForm::Once), Ok(true), "{}", example.path);
        assert_eq!(verifies(&request, "another", PathForm::Once), Ok(false));
    }
    let put = &examples()[1];
    let claim = Claim::find(&put.request()).unwrap().unwrap();
    assert!(claim.is_of(b"Welcome to Amazon S3.") && !claim.is_of(b"Welcome to Amazon S4."));
    // Another path for services that tell reserved characters from their escapes.
    let mut raw = put.request();
    raw.path = b"/test$file.text";
    assert_eq!(verifies(&raw, SECRET, PathForm::Once), Ok(false));
    let mut same = put.request();
    same.path = b"/%74est%24file.text";
    assert_eq!(verifies(&same, SECRET, PathForm::Once), Ok(true));
    assert_eq!(
        verifies(&raw, SECRET, PathForm::Twice),
        Ok(true),
        "a dollar that is sent plain is encoded once"
    );
    assert_eq!(verifies(&put.request(), SECRET, PathForm::Twice), Ok(false));
}

#[test]
fn the_plain_request_of_the_guide_verifies() {
    let shown = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let request = SignedRequest {
        method: b"GET",
        host: b"example.amazonaws.com",
        path: b"/",
        fields: vec![(b"X-Amz-Date", b"20150830T123600Z"), (b"Authorization", shown.as_bytes())],
        ..SignedRequest::default()
    };
    assert_eq!(verifies(&request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", PathForm::Twice), Ok(true));
}

const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

fn presigned(query: &str) -> SignedRequest<'_> {
    SignedRequest {
        method: b"GET",
        host: b"examplebucket.s3.amazonaws.com",
        path: b"/test.txt",
        query: Some(query.as_bytes()),
        ..SignedRequest::default()
    }
}

#[test]
fn the_presigned_example_verifies_for_a_day() {
    let request = presigned(PRESIGNED);
    assert_eq!(verifies(&request, SECRET, PathForm::Once), Ok(true));
    let claim = Claim::find(&request).unwrap().unwrap();
    assert_eq!(claim.payload, Payload::Unsigned);
    assert_eq!(claim.is_current(AT, 300, 604_800), Ok(AT + 86_400));
    assert_eq!(claim.is_current(AT + 86_399, 300, 604_800), Ok(AT + 86_400));
    assert!(matches!(claim.is_current(AT + 86_400, 300, 604_800), Err(Refusal::Expired(_))));
    assert!(matches!(claim.is_current(AT - 301, 300, 604_800), Err(Refusal::Invalid(_))));
    assert!(matches!(claim.is_current(AT, 300, 3_600), Err(Refusal::Invalid(_))));
    for (from, to) in [
        ("86400", "86401"),
        ("000000Z", "000001Z"),
        ("EXAMPLE%2F", "EXAMPLF%2F"),
        ("&X-Amz-Expires", "&a=b&X-Amz-Expires"),
        ("us-east-1", "us-east-2"),
    ] {
        let query = PRESIGNED.replacen(from, to, 1);
        assert_eq!(verifies(&presigned(&query), SECRET, PathForm::Once), Ok(false), "{query}");
    }
    let reordered: Vec<&str> = PRESIGNED.rsplit('&').collect();
    assert_eq!(verifies(&presigned(&reordered.join("&")), SECRET, PathForm::Once), Ok(true));
}

/// What is malformed or ambiguous, in place of what.
const MALFORMED: [(&str, &str); 22] = [
    ("AWS4-HMAC-SHA256&", "AWS4-ECDSA-P256-SHA256&"),
    ("X-Amz-Algorithm", "X-Amz-Other"),
    ("&X-Amz-Expires=86400", ""),
    ("86400", "604801"),
    ("86400", "0"),
    ("86400", "+1"),
    ("86400", "99999999999999999999"),
    ("host&", "range&"),
    ("host&", "host%3Brange&"),
    ("host&", "Host&"),
    ("host&", "host%3Bhost&"),
    ("host&", "&"),
    ("aws4_request", "aws4"),
    ("%2Fs3", ""),
    ("20130524%2F", "20130525%2F"),
    ("20130524T", "20130524t"),
    ("Signature=a", "Signature=A"),
    ("d404", "d40"),
    ("X-Amz-Date", "X-Amz-Date=20130524T000000Z&X-Amz-Date"),
    ("X-Amz-Signature", "X-Amz-Signature=&X-Amz-Signature"),
    ("us-east-1", "us%zzeast"),
    ("us-east-1", "us%ffeast"),
];

#[test]
fn what_is_malformed_or_ambiguous_is_refused() {
    for (from, to) in MALFORMED {
        let query = PRESIGNED.replacen(from, to, 1);
        assert_ne!(query, PRESIGNED, "{from}");
        assert!(Claim::find(&presigned(&query)).is_err(), "{query}");
    }
    let mut with_field = presigned(PRESIGNED);
    with_field.fields.push((b"X-Amz-Meta-A", b"b"));
    assert!(Claim::find(&with_field).is_err(), "an x-amz- field that is not signed");
    let shown = examples().swap_remove(0);
    let mut both = shown.request();
    both.query = Some(PRESIGNED.as_bytes());
    assert!(Claim::find(&both).is_err(), "two signatures");
    let mut twice = shown.request();
    let again = *twice.fields.last().unwrap();
    twice.fields.push(again);
    assert!(Claim::find(&twice).is_err(), "two fields");
    for (from, to) in [
        ("Credential=", "Credentials="),
        (",Signature=", ",Signature=0,Signature="),
        ("Signature=f0", "Signature=zz"),
        ("host;", ""),
        ("range;", ""),
        ("host;range", "range;host"),
        ("x-amz-date,", "x-amz-date;,"),
        (",SignedHeaders", ";SignedHeaders"),
    ] {
        let mut wrong = examples().swap_remove(0);
        let field = &mut wrong.fields.last_mut().unwrap().1;
        let changed = field.replacen(from, to, 1);
        assert_ne!(*field, changed, "{from}");
        *field = changed;
        let verdict = Claim::find(&wrong.request()).map(|claim| claim.is_some());
        // A field fewer is no mistake of form; the signature does not fit then.
        if from == "range;" {
            assert_eq!(verifies(&wrong.request(), SECRET, PathForm::Once), Ok(false));
        } else {
            assert!(verdict.is_err(), "{from}");
        }
    }
    let plain = SignedRequest { fields: vec![(b"Authorization", b"Bearer x")], ..SignedRequest::default() };
    assert!(Claim::find(&plain).unwrap().is_none());
}

fn chunked() -> (Example, Vec<u8>) {
    let example = Example::new(
        ("PUT", "/examplebucket/chunkObject.txt", None),
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        &[
            ("content-encoding", "aws-chunked"),
            ("content-length", "66824"),
            ("x-amz-decoded-content-length", "66560"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let chunk = |size: usize, signature: &str| {
        let head = format!("{size:x};chunk-signature={signature}\r\n");
        [head.as_bytes(), &vec![b'a'; size], b"\r\n"].concat()
    };
    let body = [
        chunk(65_536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        chunk(1_024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        chunk(0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ]
    .concat();
    (example, body)
}

#[test]
fn the_chunked_example_verifies_chunk_by_chunk() {
    let (example, body) = chunked();
    let mut request = example.request();
    request.host = b"s3.amazonaws.com";
    assert_eq!(verifies(&request, SECRET, PathForm::Once), Ok(true));
    let claim = Claim::find(&request).unwrap().unwrap();
    assert_eq!(claim.payload, Payload::Chunked);
    let key = claim.signing_key(SECRET);
    assert_eq!(body.len(), 66_824);
    assert_eq!(decode_chunks(&body, &key, &claim).unwrap(), vec![b'a'; 66_560]);
    // Any byte of it is held: data, signatures, sizes, line ends.
    for place in (0..body.len()).step_by(997).chain(0..100).chain(body.len() - 180..body.len()) {
        let mut changed = body.clone();
        changed[place] ^= 1;
        assert!(decode_chunks(&changed, &key, &claim).is_err(), "byte {place}");
    }
    for end in [0, 1, 90, 65_700, body.len() - 86, body.len() - 1] {
        assert!(decode_chunks(&body[..end], &key, &claim).is_err(), "cut at {end}");
    }
    let second = 65_536 + 87 + 2;
    assert!(decode_chunks(&body[second..], &key, &claim).is_err(), "without the first chunk");
    assert!(decode_chunks(&[&body[..], b"x"].concat(), &key, &claim).is_err(), "with something after");
    assert!(decode_chunks(&body, &claim.signing_key("another"), &claim).is_err());
}
