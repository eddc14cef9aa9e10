import Chat
import Synchronization
import Transport

/// The hosts of this session, and the key of each. A key goes into the header list of its own host and nowhere else.
public final class Registry: Sendable {
  /// Where requests to a provider go, headers and key included.
  struct Endpoint: Sendable {
    var baseURL: String
    var headers: HeaderList
    var hasKey: Bool
    var chatURL: String { baseURL + "/chat/completions" }
    var modelsURL: String { baseURL + "/models" }
  }

  private struct State {
    var providers: [Provider]
    var endpoints: [String: Endpoint] = [:]
    /// Keys given for this session, by provider.
    var keys: [String: Secret] = [:]
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
  public func use(id: String, baseURL: String, key: Secret?) {
    state.withLock { state in
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
    return endpoint(id)?.hasKey == true || provider.keyVariable == nil
      || (provider.addressVariable.flatMap(environment)?.isEmpty == false)
  }

  func endpoint(_ id: String) -> Endpoint? {
    state.withLock { state in
      if let endpoint = state.endpoints[id] { return endpoint }
      guard let provider = state.providers.first(where: { $0.id == id }) else { return nil }
      let key = state.keys[id] ?? provider.keyVariable.flatMap(environment).flatMap { $0.isEmpty ? nil : Secret($0) }
      var headers = [
        (name: "Content-Type", value: "application/json"), (name: "Accept", value: "text/event-stream, application/json"),
        (name: "User-Agent", value: "promptsh"),
        (name: "Expect", value: ""),  // bodies over 1 MB would wait for a 100-continue
      ]
      if let key { headers.append((name: "Authorization", value: "Bearer \(key.reveal())")) }
      // libcurl takes `Name:` as "send no such header".
      let endpoint = Endpoint(baseURL: provider.baseURL, headers: HeaderList(headers), hasKey: key != nil)
      state.endpoints[id] = endpoint
      return endpoint
    }
  }

  private static func trimmed(_ url: String) -> String {
    var url = url[...]
    while url.hasSuffix("/") { url.removeLast() }
    return String(url)
  }
}
