import Chat
import Threads
import Transport

/// The hosts of this session, and the key of each. A key goes into the header list of its own host and nowhere else.
public final class Registry: Sendable {
  /// Where requests to a provider go, headers and key included.
  struct Endpoint: Sendable {
    var headers: HeaderList
    var chat: HTTPAddress
    var models: HTTPAddress

    init(baseURL: String, headers: HeaderList) {
      self.headers = headers
      chat = HTTPAddress(baseURL + "/chat/completions")
      models = HTTPAddress(baseURL + "/models")
    }
  }

  private struct State {
    var providers: [Provider]
    var endpoints: [String: Endpoint] = [:]
    /// Keys given for this session, by provider.
    var keys: [String: Secret] = [:]
    /// Changes with every move of a provider.
    var version = 0
    /// Where moved providers were, up to a version: what was launched then still goes there.
    var past: [(id: String, before: Int, endpoint: Endpoint)] = []
  }

  private let state: Mutex<State>
  private let environment: @Sendable (String) -> String?

  /// - Parameter environment: looks a variable up; nil or empty for unset.
  public init(environment: @escaping @Sendable (String) -> String?) {
    self.environment = environment
    var providers = Provider.known
    for index in providers.indices {
      if let url = providers[index].addressVariable.flatMap(environment), !url.isEmpty {
        providers[index].baseURL = Registry.trimmed(url)
      }
    }
    state = Mutex(State(providers: providers))
  }

  public var providers: [Provider] { state.withLock { $0.providers } }

  public func provider(_ id: String) -> Provider? { state.withLock { state in state.providers.first { $0.id == id } } }

  /// Adds a provider, or moves a known one to another address. The environment's key of a moved provider does not move along: it
  /// was meant for the old host.
  ///
  /// - Parameter isMove: whether calls that were launched before still go to the old address.
  public func use(id: String, baseURL: String, key: Secret?, isMove: Bool = true) {
    let old = isMove ? endpoint(id) : nil
    state.withLock { state in
      if let old {
        state.version += 1
        state.past.append((id, state.version, old))
      }
      let url = Registry.trimmed(baseURL)
      if let index = state.providers.firstIndex(where: { $0.id == id }) {
        if state.providers[index].baseURL != url { state.providers[index].keyVariable = nil }
        state.providers[index].baseURL = url
      } else {
        state.providers.append(Provider(id: id, baseURL: url))
      }
      state.keys[id] = key
      state.endpoints[id] = nil
    }
  }

  /// Whether a key is set for a provider, or it needs none that we know of.
  public func isReady(_ id: String) -> Bool {
    guard let provider = provider(id) else { return false }
    if provider.keyVariable == nil || key(of: provider) != nil { return true }
    // A server of the user's own, named by its address, may well want no key.
    return provider.addressVariable.flatMap(environment)?.isEmpty == false
  }

  private func key(of provider: Provider) -> Secret? {
    if let key = state.withLock({ $0.keys[provider.id] }) { return key }
    return provider.keyVariable.flatMap(environment).flatMap { $0.isEmpty ? nil : Secret($0) }
  }

  /// The present one of the versions that `use` makes.
  public var version: Int { state.withLock { $0.version } }

  /// Where requests went to a provider at a version.
  func endpoint(_ id: String, at version: Int?) -> Endpoint? {
    if let version, let past = state.withLock({ state in state.past.first { $0.id == id && $0.before > version } }) { return past.endpoint }
    return endpoint(id)
  }

  /// Where requests to a provider go. Made once, for it loads libcurl: a session that sends nothing starts without it.
  func endpoint(_ id: String) -> Endpoint? {
    if let endpoint = state.withLock({ $0.endpoints[id] }) { return endpoint }
    guard let provider = provider(id) else { return nil }
    var headers = [
      (name: "Content-Type", value: "application/json"), (name: "Accept", value: "text/event-stream, application/json"),
      (name: "User-Agent", value: "promptsh"),
      (name: "Expect", value: ""),  // bodies over 1 MB would wait for a 100-continue; a header without a value is not sent
    ]
    if let key = key(of: provider) { headers.append((name: "Authorization", value: "Bearer \(key.reveal())")) }
    let endpoint = Endpoint(baseURL: provider.baseURL, headers: HeaderList(headers))
    state.withLock { $0.endpoints[id] = endpoint }
    return endpoint
  }

  private static func trimmed(_ url: String) -> String {
    var url = url[...]
    while url.hasSuffix("/") { url.removeLast() }
    return String(url)
  }
}
