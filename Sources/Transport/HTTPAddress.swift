import CCurl

/// A URL, taken apart once for all requests that go to it: which server it names, and libcurl's own parse.
///
/// Taken apart for each request, the first costs 43,000 instructions and the second 10,000, of the 76,000 that a whole prompt
/// costs a program in C.
///
/// `@unchecked Sendable`: everything is written in `init` and freed in `deinit`; between them it is only read. libcurl copies
/// the handle at the start of each transfer (`curl_url_dup`).
public final class HTTPAddress: @unchecked Sendable {
  public let url: String
  /// Nil where it is no http or https URL.
  let host: HostKey?
  /// The URL as libcurl gets it: with the host's name as the name service has it.
  let wire: String
  /// Nil where libcurl cannot parse the URL; its own words for that come with the first transfer.
  let parsed: OpaquePointer?

  /// In lower case; empty where it is no http or https URL.
  public var hostName: String { host?.host ?? "" }

  public init(_ url: String) {
    self.url = url
    host = HostKey(url: url)
    wire = host.map { HTTPAddress.wire(url, $0) } ?? url
    parsed = host != nil && cc_load() == nil ? cc_url_parse(wire) : nil
  }

  private static func wire(_ url: String, _ host: HostKey) -> String {
    if url.utf8.allSatisfy({ $0 < 0x80 }) { return url }
    guard let slashes = url.firstIndex(of: "/") else { return url }
    let path = url[url.index(slashes, offsetBy: 2)...].drop { $0 != "/" && $0 != "?" && $0 != "#" }
    return (host.isTLS ? "https://" : "http://") + host.authority + path
  }

  deinit {
    if let parsed { cc_url_free(parsed) }
  }
}
