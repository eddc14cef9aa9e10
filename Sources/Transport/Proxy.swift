import Secrets

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The proxies that the environment names, read once: libcurl's own reading runs `getenv` on the loop thread for every
/// request, a data race with any `setenv`.
struct Proxy: Sendable {
  private typealias Named = Result<ProxyServer, ProxyServer.Problem>

  /// How a request gets to its server.
  enum Route: Sendable, Equatable {
    case direct
    case via(ProxyServer)
    /// There should be a proxy, and what the environment holds is none: why, without a word of it.
    case impossible(String)
  }

  private var http: Named?
  private var https: Named?
  private var except: NoProxy

  /// - Parameter variable: looks a variable of the environment up.
  init(_ variable: (String) -> String?) {
    func named(_ names: String...) -> Named? {
      for name in names {
        guard let text = variable(name), !text.isEmpty else { continue }
        do throws(ProxyServer.Problem) { return .success(try ProxyServer(text, variable: name)) } catch { return .failure(error) }
      }
      return nil
    }
    // HTTP_PROXY in capitals is not read, since a CGI request can set it.
    let all = named("all_proxy", "ALL_PROXY")
    http = named("http_proxy") ?? all
    https = named("https_proxy", "HTTPS_PROXY") ?? all
    except = NoProxy(["no_proxy", "NO_PROXY"].lazy.compactMap(variable).first { !$0.isEmpty } ?? "")
  }

  static func fromEnvironment() -> Proxy { Proxy { name in getenv(name).map { String(cString: $0) } } }

  /// Loopback is never proxied.
  func route(to host: HostKey) -> Route {
    guard !host.isLoopback, let named = host.isTLS ? https : http, !except.covers(host) else { return .direct }
    switch named {
    case .success(let server): return .via(server)
    case .failure(let problem): return .impossible(problem.words)
    }
  }
}

/// A server as connections know it: scheme, host and port of a URL.
struct HostKey: Hashable, Sendable {
  var isTLS: Bool
  /// In lower case, as the name service has it.
  var host: String
  var port: Int
  var authority: String
  /// Whether nothing has to be looked up.
  let isAddress: Bool
  let isLoopback: Bool

  init?(url: String) {
    guard let separator = url.range(of: "://") else { return nil }
    switch url[..<separator.lowerBound].lowercased() {
    case "http": isTLS = false
    case "https": isTLS = true
    default: return nil
    }
    let rest = url[separator.upperBound...]
    authority = String(rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }).lowercased()
    if let at = authority.lastIndex(of: "@") { authority = String(authority[authority.index(after: at)...]) }
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      host = String(authority[authority.index(after: authority.startIndex)..<end])
    } else {
      host = String(authority.prefix { $0 != ":" })
    }
    if host.isEmpty { return nil }
    let behindHost = authority.hasPrefix("[") ? authority.drop { $0 != "]" } : authority[...]
    port = behindHost.lastIndex(of: ":").flatMap { Int(behindHost[behindHost.index(after: $0)...]) } ?? (isTLS ? 443 : 80)
    let ascii = Punycode.ascii(host: host)
    if ascii != host {
      authority = authority.replacing(host, with: ascii)
      host = ascii
    }
    isAddress = host.contains(":") || host.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
    isLoopback =
      host == "localhost" || host == "::1" || host.hasSuffix(".localhost") || (host.hasPrefix("127.") && isAddress)
  }
}

extension String {
  fileprivate func range(of needle: String) -> Range<String.Index>? {
    var index = startIndex
    while index < endIndex {
      if self[index...].hasPrefix(needle) { return index..<self.index(index, offsetBy: needle.count) }
      index = self.index(after: index)
    }
    return nil
  }
}

/// Whether a URL is plain http to another machine, where keys and prompts would travel readable.
public func isPlainRemote(url: String) -> Bool {
  guard let key = HostKey(url: url) else { return false }
  return !key.isTLS && !key.isLoopback
}
