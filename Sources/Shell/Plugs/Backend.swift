import Chat
import Interpreter
import Providers
import Simulator
import Threads
import Transport

/// Where prompts go: the providers of the registry, and the simulator, which is started when the first prompt for it comes.
final class Backend: ModelClient, ModelDirectory {
  private let registry: Registry
  private let client: ProviderClient
  private let simulator = SimulatorStarter()
  private let faults: Faults
  /// Told once when the simulator answers although nobody named a model.
  private let unasked = Mutex(Unasked())

  private struct Unasked { var tell: (@Sendable () -> Void)? }

  init(registry: Registry, transport: HTTPTransport, faults: Faults) {
    self.registry = registry
    self.faults = faults
    client = ProviderClient(registry: registry, transport: transport)
  }

  func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt {
    if let failure = await prepare(request.model.provider) {
      feed?.finish()
      return Attempt(failure: failure)
    }
    if request.model == Backend.unnamed { unasked.withLock { $0.tell.take() }?() }
    return await client.send(request, feed: feed, activity: activity)
  }

  /// The model where nobody named one.
  static let unnamed = ModelName(provider: "sim", name: "story")

  func onUnasked(_ tell: @escaping @Sendable () -> Void) { unasked.withLock { $0.tell = tell } }

  func problem(with model: ModelName) -> String? {
    if model.provider == "sim" {
      return ["story", "fast", "flaky"].contains(model.name) ? nil : "the simulator has story, fast and flaky"
    }
    guard registry.provider(model.provider) != nil else {
      let known = (["sim"] + registry.providers.map(\.id).filter { $0 != "sim" }).joined(separator: ", ")
      return "there is no provider `\(model.provider)`; there is: \(known)"
    }
    if !model.isChosen { return "no model of \(model.provider) is chosen" }
    return registry.problem(with: model.provider)
  }

  func providers() -> [ProviderInfo] {
    [ProviderInfo(id: "sim", baseURL: "built in", keyVariable: nil, isReady: true, exampleModel: "story")]
      + registry.providers.filter { $0.id != "sim" }.map {
        ProviderInfo(
          id: $0.id, baseURL: BaseURL($0.baseURL).shown, keyVariable: $0.keyVariable, isReady: registry.isReady($0.id),
          exampleModel: $0.exampleModel)
      }
  }

  func models(of provider: String) async -> Result<[String], Failure> {
    if let failure = await prepare(provider) { return .failure(failure) }
    return await client.models(of: provider)
  }

  var version: Int { registry.version }

  func use(provider: String, url: String, key: String?) async -> ServerInUse {
    let given = BaseURL(url)
    let key = key.map(Secret.init)
    var found = await go(provider, given, key)
    if found.isElsewhere, let other = given.withVersion {
      let versioned = await go(provider, other, key)
      // A server that wants a key there, or lists models, is what was meant.
      if versioned.isElsewhere { registry.use(id: provider, at: given, key: key) } else { found = versioned }
    }
    if isPlainRemote(url: given.description) {
      found.warning = "\(found.address) is not encrypted: prompts\(key == nil ? "" : " and the key") travel readable"
    }
    return found
  }

  private func go(_ provider: String, _ url: BaseURL, _ key: Secret?) async -> ServerInUse {
    registry.use(id: provider, at: url, key: key)
    return ServerInUse(address: url.shown, models: await client.models(of: provider))
  }

  private func prepare(_ provider: String) async -> Failure? {
    guard provider == "sim", !simulator.isRunning else { return nil }
    switch await simulator.start(faults) {
    case .success(let server):
      registry.use(id: "sim", baseURL: server.baseURL, key: nil, isMove: false)
      simulator.markRunning()
      return nil
    case .failure(let failure): return failure
    }
  }
}

extension ServerInUse {
  /// Whether the server answered, and not as one does at the root of its API.
  fileprivate var isElsewhere: Bool {
    guard case .failure(let failure) = models else { return false }
    return [.notFound, .malformed, .badRequest].contains(failure.kind) || failure.status == 405
  }
}

/// Starts the simulator once, however many ask at the same time.
private final class SimulatorStarter: Sendable {
  private let running = Atomic(false)
  private let task = Mutex<Task<Result<SimulatorServer, Failure>, Never>?>(nil)

  /// Read for every call.
  var isRunning: Bool { running.load(ordering: .acquiring) }
  func markRunning() { running.store(true, ordering: .releasing) }

  func start(_ faults: Faults) async -> Result<SimulatorServer, Failure> {
    let task = task.withLock { task in
      if let task { return task }
      let new = Task { () -> Result<SimulatorServer, Failure> in
        do { return .success(try await SimulatorServer.start(faults: faults)) } catch {
          var failure = Failure(.connection, "the simulator could not start: \(error)")
          failure.detail = .ours
          failure.shouldRetry = false
          return .failure(failure)
        }
      }
      task = new
      return new
    }
    return await task.value
  }
}
