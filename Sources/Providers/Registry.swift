import Chat
import Secrets
import Threads
import Transport

/// The hosts of this session, and the key of each. A key goes into the header list of its own host and nowhere else.
public final class Registry: Sendable {
  /// Where requests to a provider go, headers and key included.
  struct Endpoint: Sendable {
    var headers: HeaderList
    var chat: HTTPAddress
    var models: HTTPAddress
    /// Where its models are listed, for people.
    var shown: String

    /// Why nothing can be sent there; nil where something can.
    var problem: String?

    init(_ url: BaseURL, headers: HeaderList, problem: String?) {
      self.headers = headers
      self.problem = problem
      chat = HTTPAddress(url.at("/chat/completions"))
      models = HTTPAddress(url.at("/models"))
      shown = url.path + "/models" + QuerySecrets.hidden(url.query)
    }
  }

  private struct State {
    var providers: [Provider]
    var endpoints: [String: Endpoint] = [:]
    /// Keys given for this session, by provider.
    var keys: [String: Secret] = [:]
    /// What stood before the `@` of their addresses, by provider.
    var userinfos: [String: Userinfo] = [:]
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
    var userinfos: [String: Userinfo] = [:]
    for index in providers.indices {
      if let url = providers[index].addressVariable.flatMap(environment)?.withoutWrapping, !url.isEmpty {
        let address = BaseURL(url)
        providers[index].baseURL = address.description
        userinfos[providers[index].id] = address.userinfo
      }
      // Whatever is shown from now on, it is not one of the keys that are there.
      _ = providers[index].keyVariable.flatMap(environment).flatMap(Key.read)
    }
    state = Mutex(State(providers: providers, userinfos: userinfos))
  }

  public var providers: [Provider] { state.withLock { $0.providers } }

  public func provider(_ id: String) -> Provider? { state.withLock { state in state.providers.first { $0.id == id } } }

  /// Adds a provider, or moves a known one to another address. The environment's key of a moved provider does not move along: it
  /// was meant for the old host.
  ///
  /// - Parameter isMove: whether calls that were launched before still go to the old address.
  public func use(id: String, baseURL: String, key: Secret?, isMove: Bool = true) {
    use(id: id, at: BaseURL(baseURL), key: key, isMove: isMove)
  }

  public func use(id: String, at address: BaseURL, key: Secret?, isMove: Bool = true) {
    let key = key.flatMap { Key.read($0.reveal()) }
    let old = isMove ? endpoint(id) : nil
    state.withLock { state in
      if let old {
        state.version += 1
        state.past.append((id, state.version, old))
      }
      let url = address.description
      state.userinfos[id] = address.userinfo
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
    return isAddressed(provider)
  }

  /// Whether the environment names its server or its key.
  public func isNamed(_ id: String) -> Bool {
    guard let provider = provider(id) else { return false }
    return key(of: provider) != nil || isAddressed(provider)
  }

  private func isAddressed(_ provider: Provider) -> Bool {
    provider.addressVariable.flatMap(environment)?.withoutWrapping.isEmpty == false
  }

  /// Why nothing can be sent to a provider: no key, one that cannot be sent, an address that is none. Nil where something can.
  public func problem(with id: String) -> String? {
    guard let provider = provider(id) else { return "there is no provider `\(id)`" }
    guard isReady(id) else { return "its key is not set (environment variable \(provider.keyVariable ?? "of its own"))" }
    return problem(with: provider, key: key(of: provider))
  }

  private func problem(with provider: Provider, key: Secret?) -> String? {
    if let problem = BaseURL(provider.baseURL).problem {
      return provider.addressVariable.map { "\($0): \(problem)" } ?? problem
    }
    return key.flatMap(Key.problem).map { "its key (\(provider.keyVariable ?? "--key-env")) \($0)" }
  }

  private func key(of provider: Provider) -> Secret? {
    if let key = state.withLock({ $0.keys[provider.id] }) { return key }
    return provider.keyVariable.flatMap(environment).flatMap(Key.read)
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
      (name: "Content-Type", value: "application/json"),
      (name: "User-Agent", value: "promptsh"),
      (name: "Expect", value: ""),  // bodies over 1 MB would wait for a 100-continue; a header without a value is not sent
    ]
    let key = key(of: provider)
    let problem = problem(with: provider, key: key)
    if let key {
      if problem == nil { headers.append((name: "Authorization", value: "Bearer \(key.reveal())")) }
    } else if let userinfo = state.withLock({ $0.userinfos[id] }) {
      headers.append((name: "Authorization", value: "Basic \(userinfo.basic)"))
    }
    let endpoint = Endpoint(BaseURL(provider.baseURL), headers: HeaderList(headers), problem: problem)
    state.withLock { $0.endpoints[id] = endpoint }
    return endpoint
  }
}
