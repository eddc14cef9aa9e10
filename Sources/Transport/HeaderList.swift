import CCurl

/// Request headers, built once and shared by every request to a host.
///
/// `@unchecked Sendable`: the C list is written in `init` and freed in `deinit`; between them everybody only reads it.
public final class HeaderList: @unchecked Sendable {
  let list: UnsafeMutablePointer<curl_slist>?
  private let headers: [(name: String, value: String)]

  /// - Parameter headers: names and values; one with a line break in it is left out, since it would smuggle in another header.
  public init(_ headers: [(name: String, value: String)]) {
    self.headers = headers
    guard cc_load() == nil else {
      list = nil
      return
    }
    var list: UnsafeMutablePointer<curl_slist>?
    for (name, value) in headers where !(name + value).utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) {
      list = cc_slist_append(list, value.isEmpty ? "\(name):" : "\(name): \(value)")
    }
    self.list = list
  }

  /// These and others; one of a name that is here stands in its place.
  public func replacing(_ others: [(name: String, value: String)]) -> HeaderList {
    let kept = headers.filter { header in !others.contains { $0.name.lowercased() == header.name.lowercased() } }
    return HeaderList(kept + others)
  }

  deinit {
    if let list { cc_slist_free(list) }
  }
}
