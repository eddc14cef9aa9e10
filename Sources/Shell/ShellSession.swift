import Chat
import Interpreter
import Language
import Names
import Providers
import Scheduling
import Simulator
import Threads
import Transport

/// A session with everything plugged in: where the rooms meet.
public final class ShellSession: Sendable {
  public let session: Session
  let console: Console
  let signals = Signals()
  let host: ControlHost
  /// The signal that ends the program; 0 for none.
  let terminating = Atomic<Int32>(0)
  let isEnding = Atomic(false)
  /// The program is being left, whatever else still runs.
  let isLeaving = Atomic(false)
  let hasKeptReplies = Atomic(false)
  let repliesAreKept = Bell()
  private let transport: HTTPTransport

  public enum ExitStatus {
    public static let fine: Int32 = 0
    public static let scriptFailed: Int32 = 1
    public static let misused: Int32 = 2
    public static let promptsFailed: Int32 = 3
    /// Of `attach`: the session broke off without a word, as one does that is killed.
    public static let brokeOff: Int32 = 4
    public static let interrupted: Int32 = 130
    /// As a shell has it of what SIGPIPE ended.
    public static let readerGone: Int32 = 141
  }

  public init(
    arguments: [String], options: Shell.Options = Shell.Options(faults: .usual, model: nil),
    history: @escaping @Sendable () -> [String] = { [] }
  ) {
    var settings = TransportSettings()
    settings.readCertificates(HostSystem.variable)
    let crowded = Crowd()
    settings.onCrowded = { crowded.tell($0) }
    let registry = Registry(environment: HostSystem.variable)
    let firstModel = options.model ?? ShellSession.firstModel(registry)
    let most = Machine.mostStreams(simulated: firstModel.provider == "sim")
    settings.mostConnections = most
    transport = HTTPTransport(settings: settings)
    let backend = Backend(registry: registry, transport: transport, faults: options.faults)
    var initial = Settings(model: firstModel)
    if let control = options.control { initial.control = control }
    let (time, tails) = (SystemTimekeeper(), Tails())
    let limiter = Limiter(initial.limits, time: time)
    if let most { limiter.setMostStreams(most, reason: Machine.reason) }
    crowded.limiter.withLock { $0 = limiter }
    let term = HostSystem.variable("TERM") ?? ""
    console = Console(limiter: limiter, tails: tails, time: time, isDumb: term.isEmpty || term == "dumb")
    let engine = CallEngine(limiter: limiter, client: backend, time: time)
    host = ControlHost(console: console)
    let world = World(
      engine: engine, output: console, files: StandardFiles(console: console), directory: backend,
      system: HostSystem(console: console, history: history), remote: host,
      tails: tails, executor: transport)
    session = Session(world: world, settings: initial, arguments: arguments)
    host.serve(session)
    console.hook { [session] hooks in
      hooks.hasColour = { [weak session] in HostSystem.hasColour && session?.settings.colour ?? false }
    }
    if options.model == nil, initial.model == Backend.unnamed, HostSystem.variable("PROMPTSH_MODEL") == nil {
      backend.onUnasked { [session, console] in
        // The prompt's greeting says it already.
        if session.isAttended { return }
        console.note(
          "no model was named, so the built-in simulator answers: its words are made up\n  = -m MODEL, PROMPTSH_MODEL or `use` names one")
      }
    }
    if let provider = registry.provider(initial.model.provider), isPlainRemote(url: provider.baseURL) {
      console.note("warning: \(BaseURL(provider.baseURL).shown.oneLine) is not encrypted: prompts and keys travel readable")
    }
  }

  /// PROMPTSH_MODEL, else the server, key or model that the environment names, else the simulator: it answers only where nobody named
  /// anything.
  private static func firstModel(_ registry: Registry) -> ModelName {
    func variable(_ name: String) -> String? {
      HostSystem.variable(name)?.withoutWrapping.nonEmpty
    }
    if let given = variable("PROMPTSH_MODEL") {
      if let model = ModelName(given) { return model }
      if given.contains("/") { return .none(at: given.replacing("/", with: "")) }
      // A bare name is the model's of whoever we know by it, else OpenAI's: what cannot be sent there is an error before anything is sent.
      let provider = registry.providers.first { $0.exampleModel == given }?.id ?? "openai"
      return ModelName(provider: provider, name: given)
    }
    let named = variable("OPENAI_MODEL")
    if named != nil || registry.isNamed("openai"), let model = registry.provider("openai")?.exampleModel {
      return ModelName(provider: "openai", name: named ?? model)
    }
    return Backend.unnamed
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
