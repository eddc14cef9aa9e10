import Secrets
import Testing

@testable import Transport

/// Proxies as the environment names them, and what of it may be seen.
@Suite struct ProxyTests {
  private func route(_ url: String, _ variables: [String: String]) throws -> Proxy.Route {
    Proxy { variables[$0] }.route(to: try #require(HostKey(url: url)))
  }

  @Test(arguments: [
    ("http://user:hunter22secret@proxy.example:3128", "http://proxy.example:3128", "user", "hunter22secret"),
    ("user:hunter22%40secret@proxy.example:3128", "http://proxy.example:3128", "user", "hunter22@secret"),
    ("socks5h://user:p@ss:word@[::1]:1080", "socks5h://[::1]:1080", "user", "p@ss:word"),
    ("http://user:p@Bücher.example:1", "http://xn--bcher-kva.example:1", "user", "p"),
  ])
  func aProxyIsTakenApart(_ text: String, _ address: String, _ name: String, _ password: String) throws {
    let server = try ProxyServer(text, variable: "https_proxy")
    #expect(server.address == address)
    #expect(server.userinfo == Userinfo(name: name, password: password))
  }

  @Test(arguments: [
    "http://user:hunter22secret@", "http://user:hunter22secret@proxy:port", "http://user:hunter22secret@proxy:99999",
    "htp://user:hunter22secret@proxy:1", "http://user:hunter22secret/x@proxy:3128", "user:hunter22secret@pro xy",
    "http://us/er:hunter22secret@h",
    "http:user:hunter22secret@[::1", "://user:hunter22secret@",
  ])
  func whatIsNoAddressIsSaidWithoutIt(_ text: String) throws {
    guard case .impossible(let words) = try route("https://api.example/v1", ["https_proxy": text]) else {
      // Where it can be read as an address, what libcurl gets, and may repeat, has no password in it.
      guard case .via(let server) = try route("https://api.example/v1", ["https_proxy": text]) else { return #expect(Bool(false)) }
      return #expect(!server.address.contains("hunter22"))
    }
    #expect(!words.contains("hunter22") && words.contains("https_proxy"))
    #expect(!Redactor.hide("libcurl: \(text)").contains("hunter22"))
  }

  /// libcurl would repeat it, and call it a connection's fault that is worth another try.
  @Test(arguments: ["http://exa$mple:8901", "http://a,b:1", "http://[::1$]:1", "http://[]:1", "http://a\u{7F}b", "http://{h}", "pro xy"])
  func aHostThatIsNoneIsSaidByUs(_ text: String) throws {
    guard case .impossible(let words) = try route("https://api.example/v1", ["https_proxy": text]) else { return #expect(Bool(false)) }
    #expect(words.hasPrefix("https_proxy does not hold a proxy's address: "))
    #expect(!words.contains("8901"))
  }

  /// What is said of a proxy that wants a password is not taken for one.
  @Test func theAdviceIsReadable() throws {
    let words = try ProxyServer("http://proxy.example:3128", variable: "http_proxy").refusal
    #expect(Redactor.hide(words) == words)
  }

  @Test(arguments: [
    ("name.example", "https://name.example/v1", true), ("name.example", "https://api.name.example/v1", true),
    ("name.example", "https://surname.example/v1", false), ("*.name.example", "https://api.name.example/v1", true),
    (".name.example", "https://api.name.example/v1", true), ("name.example:8443", "https://name.example:8443/v1", true),
    ("name.example:8443", "https://name.example/v1", false), ("name.example:443", "https://name.example/v1", true),
    ("other, name.example", "https://name.example/v1", true), ("a b *", "https://x.example", true),
    ("10.0.0.0/8", "http://10.2.3.4:80/", true), ("10.0.0.0/8", "http://11.2.3.4/", false), ("fd00::/8", "http://[fd00::1]:80/", true),
    ("[fd00::1]:80", "http://[fd00::1]:80/", true), ("0.1", "http://10.0.0.1/", false),
  ])
  func whatNeedsNoProxy(_ list: String, _ url: String, _ isDirect: Bool) throws {
    let route = try route(url, ["all_proxy": "http://proxy.example:1", "NO_PROXY": list])
    #expect((route == .direct) == isDirect)
  }

  @Test(arguments: [
    ("http://bücher.localhost:8080/v1", "http://xn--bcher-kva.localhost:8080/v1"),
    ("https://例え.テスト/v1?a=b", "https://xn--r8jz45g.xn--zckzah/v1?a=b"),
    ("http://BÜCHER.example", "http://xn--bcher-kva.example"), ("http://faß.de/", "http://xn--fa-hia.de/"),
    ("http://plain.example:1/v1", "http://plain.example:1/v1"),
  ])
  func namesThatAreNotASCII(_ url: String, _ wire: String) { #expect(HTTPAddress(url).wire == wire) }
}

/// What is hidden, and what is not.
@Suite struct RedactorTests {
  @Test func keysAreHidden() {
    Redactor.learn("test-key-of-thirty-characters-1")
    #expect(Redactor.hide("bad key test-key-of-thirty-characters-1!") == "bad key ‹hidden›!")
    #expect(Redactor.hidden(inReply: Array("it is test-key-of-thirty-characters-1".utf8)) == Array("it is ‹hidden›".utf8))
    #expect(Redactor.hidden(inReply: Array("nothing of it".utf8)) == nil)
  }

  @Test func aShortKeyIsHiddenAsAWordOnly() {
    Redactor.learn("qzx7")
    #expect(Redactor.hide("the key qzx7 is wrong: max-qzx7 aqzx7b") == "the key ‹hidden› is wrong: max-qzx7 aqzx7b")
    #expect(Redactor.hidden(inReply: Array("qzx7".utf8)) == nil)
  }

  @Test func aKeyInPiecesIsHeldBack() {
    Redactor.learn("held-back-key-0123456789")
    #expect(Redactor.undecided(Array("see held-ba".utf8)[...]) == 7)
    #expect(Redactor.undecided(Array("see held-bx".utf8)[...]) == 0)
  }

  @Test(arguments: [
    ("use http://user:pass@host/v1 now", "use http://‹hidden›@host/v1 now"), ("https://token@host", "https://‹hidden›@host"),
    ("http://user:pa/ss@host", "http://‹hidden›@host"), ("http://host/a@b", "http://host/a@b"),
    ("http://host:80/a@b", "http://host:80/a@b"),
    ("a@b http://h/ c@d", "a@b http://h/ c@d"), ("\"socks5://a:b@h\"", "\"socks5://‹hidden›@h\""),
  ])
  func addressesLoseWhoTheyAreFor(_ text: String, _ shown: String) { #expect(Redactor.hide(text) == shown) }

  @Test func anAddressIsTakenApart() throws {
    let taken = try #require(Userinfo.taken(from: "https://Aladdin:open%20sesame@host:1/v1"))
    #expect(taken.url == "https://host:1/v1" && taken.userinfo.password == "open sesame")
    #expect(taken.userinfo.basic == "QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    #expect(Userinfo.taken(from: "https://host/a@b") == nil)
  }
}
