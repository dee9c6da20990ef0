//! Programs that are not browsers, by what they call themselves. Our own list: names are published by their
//! makers. Compared without regard to case; a version has to follow where the word alone could be a device's.

/// Regular expressions.
pub(super) const PROGRAMS: [&str; 64] = [
    // Whatever calls itself so.
    r"(bot|spider|crawl(er)?|scraper?|archiver|indexer|fetcher)[-_ ]?/v?[0-9]",
    r"compatible; [a-z0-9._-]*(bot|spider|crawler)\b",
    r"\+https?://[^ )]*(bot|crawler|spider)",
    // Search engines.
    r"googlebot|google-inspectiontool|googleother|apis-google|mediapartners-google|adsbot-google",
    r"bingbot|bingpreview|msnbot|adidxbot",
    r"\bslurp\b",
    r"duckduckbot|duckassistbot",
    r"baiduspider",
    r"yandex(bot|images|video|media|blogs|news|pagechecker|accessibility|mobile|renderresources)",
    r"sogou (web|inst|pic|news) spider",
    r"applebot",
    r"petalbot|aspiegelbot",
    r"exabot|qwantify|seznambot|mojeekbot|yeti/[0-9]",
    r"ia_archiver|archive\.org_bot|heritrix",
    // Trainers and assistants.
    r"gptbot|oai-searchbot|chatgpt-user",
    r"claudebot|claude-web|anthropic-ai",
    r"ccbot",
    r"perplexitybot|youbot|diffbot|cohere-ai|bytespider|amazonbot|meta-externalagent|imagesiftbot",
    // Search optimisation.
    r"ahrefs(bot|siteaudit)",
    r"semrushbot|siteauditbot",
    r"mj12bot|dotbot|rogerbot|blexbot|serpstatbot|dataforseobot|barkrowler|seokicks|screaming frog",
    r"linkdexbot|megaindex|sistrix|xovibot|zoominfobot",
    // Previews of links.
    r"facebookexternalhit|facebookcatalog|facebot",
    r"twitterbot",
    r"slackbot|slack-imgproxy",
    r"linkedinbot",
    r"discordbot",
    r"telegrambot",
    r"whatsapp/[0-9]",
    r"pinterest(bot)?/[0-9]",
    r"redditbot|embedly|skypeuripreview|vkshare|iframely",
    // Monitoring.
    r"pingdom",
    r"uptimerobot|statuscake|site24x7|better uptime|updown\.io|freshping|newrelicpinger|datadog(/| )?synthetics",
    r"webpagetest|gtmetrix|chrome-lighthouse|ptst/[0-9]",
    // Scanners.
    r"masscan|zgrab|nmap scripting engine|nuclei|nikto|sqlmap|wpscan|dirbuster|gobuster|feroxbuster|\bffuf\b|w3af|acunetix|nessus|openvas|arachni|whatweb|censysinspect|expanse|internetmeasurement",
    r"netsystemsresearch|l9explore|l9tcpid|leakix|shodan",
    // Libraries and commands.
    r"python-(requests|urllib|httpx)/|python/[0-9.]+ aiohttp|aiohttp/|\bhttpx/",
    r"^urllib3?/|mechanize|scrapy",
    r"go-http-client|^go [0-9.]+ package http|fasthttp|gocolly|resty/",
    r"apache-httpclient|apache-httpasyncclient|jakarta commons-httpclient",
    r"^java/|java-http-client|jersey/|resteasy|unirest|rest-assured",
    r"okhttp/",
    r"axios/|node-fetch|\bgot \(|\bgot/[0-9]|undici|superagent|needle/|node\.js",
    r"reqwest/|\bhyper/[0-9]|ureq/|\bisahc/|attohttpc",
    r"libwww-perl|lwp-|www-mechanize|perl/",
    r"php/[0-9]|guzzlehttp|symfony httpclient|zend_http|php-curl",
    r"ruby/?[0-9]*|faraday|typhoeus|httparty|rest-client|mechanize",
    r"winhttp|wininet|winhttprequest|microsoft url control|powershell/",
    r"\.net/|dotnet|restsharp|refit|httpclient/",
    r"dart/[0-9]|dio/[0-9]",
    r"alamofire|cfnetwork/[0-9.]+ darwin",
    r"elixir|finch/|hackney|httpoison|tesla/[0-9]",
    r"^curl/|^wget/|^httpie/|^xh/|^aria2/|^lynx/|^links |^elinks/",
    r"postmanruntime|insomnia/|bruno|paw/|hoppscotch",
    r"apachebench|\bwrk/|\bhey/|\bk6/|jmeter|gatling|locust|vegeta|siege/|artillery",
    // Clouds.
    r"aws-sdk|aws-cli|boto(3|core)?/|amazon cloudfront|amazon-route53-health",
    r"googlehc/|google-cloud-sdk|gsutil",
    r"azure-?sdk|azsdk|azcopy",
    r"^s3cmd|s3fs|rclone/|minio \(",
    // Browsers without a person.
    r"headlesschrome|phantomjs|slimerjs|puppeteer|playwright|selenium|electron-fetch|jsdom",
    // Old ones.
    r"msiecrawler|msie or firefox mutant|harvest|httrack|teleport ?pro|webzip|webcopier|emailsiphon|emailcollector|larbin|nutch",
    r"feedfetcher|feedly|feedburner|newsblur|inoreader|tiny tiny rss|universalfeedparser|rss-?parser",
    r"w3c_validator|w3c-checklink|validator\.nu|css-?validator",
    r"mastodon/|pleroma|misskey/|friendica|peertube",
];
