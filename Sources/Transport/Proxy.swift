#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The proxies that the environment names, read once: libcurl's own reading runs `getenv` on the loop thread for every
/// request, a data race with any `setenv`.
struct Proxy: Sendable {
  var http: String?
  var https: String?
  var except: String?

  /// HTTP_PROXY in capitals is not read, since a CGI request can set it.
  static func fromEnvironment() -> Proxy {
    func value(_ names: String...) -> String? {
      for name in names {
        if let text = getenv(name), text.pointee != 0 { return String(cString: text) }
      }
      return nil
    }
    let all = value("all_proxy", "ALL_PROXY")
    return Proxy(
      http: value("http_proxy") ?? all, https: value("https_proxy", "HTTPS_PROXY") ?? all,
      except: value("no_proxy", "NO_PROXY"))
  }

  /// The proxy for a URL; nil for none. Loopback is never proxied.
  func address(for host: HostKey) -> String? {
    host.isLoopback ? nil : host.isTLS ? https : http
  }
}

/// A server as connections know it: scheme, host and port of a URL.
struct HostKey: Hashable, Sendable {
  var isTLS: Bool
  var host: String
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
