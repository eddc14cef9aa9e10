import Chat
import Interpreter
import Language
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
  /// The signal that ends the program; 0 for none.
  let terminating = Atomic<Int32>(0)
  private let transport: HTTPTransport

  public enum ExitStatus {
    public static let fine: Int32 = 0
    public static let scriptFailed: Int32 = 1
    public static let misused: Int32 = 2
    public static let promptsFailed: Int32 = 3
    public static let interrupted: Int32 = 130
  }

  public init(
    arguments: [String], options: Shell.Options = Shell.Options(faults: .usual, model: nil),
    history: @escaping @Sendable () -> [String] = { [] }
  ) {
    var settings = TransportSettings()
    settings.caBundle = HostSystem.variable("SSL_CERT_FILE").flatMap { $0.isEmpty ? nil : $0 }
    transport = HTTPTransport(settings: settings)
    let registry = Registry(environment: HostSystem.variable)
    let backend = Backend(registry: registry, transport: transport, faults: options.faults)
    let initial = Settings(model: options.model ?? ShellSession.firstModel(registry))
    let (time, tails) = (SystemTimekeeper(), Tails())
    let limiter = Limiter(initial.limits, time: time)
    let term = HostSystem.variable("TERM") ?? ""
    console = Console(limiter: limiter, tails: tails, time: time, isDumb: term.isEmpty || term == "dumb")
    let engine = CallEngine(limiter: limiter, client: backend, time: time)
    let world = World(
      engine: engine, output: console, files: StandardFiles(console: console), directory: backend,
      system: HostSystem(console: console, history: history),
      tails: tails, executor: transport)
    session = Session(world: world, settings: initial, arguments: arguments)
    console.setColour { [weak session] in HostSystem.hasColour && session?.settings.colour ?? false }
    if let provider = registry.provider(initial.model.provider), isPlainRemote(url: provider.baseURL) {
      console.note("warning: \(provider.baseURL) is not encrypted: prompts and keys travel readable")
    }
  }

  /// PROMPTSH_MODEL, else the server or key that the environment names, else the simulator.
  private static func firstModel(_ registry: Registry) -> ModelName {
    if let given = HostSystem.variable("PROMPTSH_MODEL").flatMap(ModelName.init) { return given }
    if registry.isReady("openai"), let model = registry.provider("openai")?.exampleModel {
      return ModelName(provider: "openai", name: HostSystem.variable("OPENAI_MODEL").flatMap { $0.isEmpty ? nil : $0 } ?? model)
    }
    return ModelName(provider: "sim", name: "story")
  }
}
