import Chat
import Formats
import Interpreter
import Language
import Scheduling
import Threads

@testable import Shell

/// A model that does what its prompt says, at once:
/// `say X` answers X, `fail KIND` fails (`fail KIND!X` after X had come), `once KIND X` fails the first time and then answers X,
/// `refuse X` and `empty` are wrong answers, `cut X` is cut at max-tokens, `hang` waits until it is cancelled, anything else comes back
/// in «».
final class ScriptedModel: ModelClient {
  private let state = Mutex((calls: 0, cancelled: 0, live: 0, mostLive: 0))
  private let seen = Mutex<Set<String>>([])
  var calls: Int { state.withLock { $0.calls } }
  var cancelled: Int { state.withLock { $0.cancelled } }
  var mostLive: Int { state.withLock { $0.mostLive } }

  func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt {
    state.withLock {
      $0.calls += 1
      $0.live += 1
      $0.mostLive = max($0.mostLive, $0.live)
    }
    defer { state.withLock { $0.live -= 1 } }
    let prompt = request.messages.last?.text ?? ""
    if prompt == "hang" {
      // Never yields anything; ends when the task is cancelled.
      for await _ in AsyncStream<Never>.makeStream().stream {}
      state.withLock { $0.cancelled += 1 }
      feed?.finish()
      return Attempt(failure: Failure(.cancelled, "cancelled"))
    }
    await Task.yield()
    if prompt.hasPrefix("fail "), let kind = FailureKind(rawValue: String(prompt.dropFirst(5).prefix { $0 != "!" })) {
      feed?.finish()
      var failed = Attempt(failure: Failure(kind, "as asked"))
      failed.text = String(prompt.drop { $0 != "!" }.dropFirst())
      return failed
    }
    var words = prompt.split(separator: " ", maxSplits: 2).map(String.init)
    if words.first == "once", words.count == 3, let kind = FailureKind(rawValue: words.remove(at: 1)),
      seen.withLock({ $0.insert(prompt).inserted })
    {
      feed?.finish()
      return Attempt(failure: Failure(kind, "the first time"))
    }
    var attempt = Attempt()
    for (word, kind) in [("refuse", FailureKind.refused), ("empty", .empty)] where prompt.hasPrefix(word) {
      attempt.wrong = Failure(kind, "as asked")
    }
    let word = ["say ", "refuse ", "cut ", "empty"].first { prompt.hasPrefix($0) }
    attempt.text = prompt.hasPrefix("once ") ? words[1] : word.map { String(prompt.dropFirst($0.count)) } ?? "«\(prompt)»"
    if let system = request.messages.first, system.role == .system { attempt.text += " (\(system.text))" }
    if request.messages.count > 2 { attempt.text += " [\(request.messages.count) turns]" }
    attempt.finish = prompt.hasPrefix("cut ") ? .length : .stop
    attempt.usage = Usage(input: prompt.split(separator: " ").count, output: attempt.text.split(separator: " ").count)
    attempt.ttft = .milliseconds(10)
    attempt.latency = .milliseconds(20)
    _ = feed?.push(attempt.text.utf8)
    feed?.finish()
    return attempt
  }
}

/// Time that stands still: a sleep is over at once, and what was slept is counted.
final class StillTime: Timekeeper {
  private let slept = Mutex(Duration.zero)
  var now: Duration { slept.withLock { $0 } }

  func sleep(for duration: Duration) async throws {
    // Work that is ready comes first: a time-out hits only what hangs.
    for _ in 0..<200 { await Task.yield() }
    try Task.checkCancellation()
    slept.withLock { $0 += duration }
  }
}

/// Keeps what is shown, as lines of standard output and of standard error.
final class Recorder: Output {
  private let state = Mutex((out: "", notes: [String]()))
  private let renderer = ValueRenderer()
  var lines: [String] {
    state.withLock { $0.out }.split(separator: "\n", omittingEmptySubsequences: false).map(String.init).dropLast(1).map { $0 }
  }
  var notes: [String] { state.withLock { $0.notes } }
  /// Each note as it is written, for a test that waits for one.
  let noteStream = AsyncStream<String>.makeStream()

  func show(_ value: Value, options: ShowOptions) {
    let rendered = renderer.render(
      value, form: .terminal(width: options.wide ? nil : 100), showsAll: options.all, columns: options.columns, whole: options.whole)
    if !rendered.text.isEmpty { state.withLock { $0.out += rendered.text + "\n" } }
    if let problem = rendered.problem { note(problem) }
  }
  func print(_ text: String, raw: Bool) { state.withLock { $0.out += text + "\n" } }
  func reply(named name: String, of job: Job?, raw: Bool) -> any ReplyOutput { RecordedReply(self) }
  fileprivate func put(_ text: String) { state.withLock { $0.out += text } }
  fileprivate func endLine() { state.withLock { if !$0.out.hasSuffix("\n") { $0.out += "\n" } } }
  func note(_ text: String) {
    state.withLock { $0.notes.append(text) }
    noteStream.continuation.yield(text)
  }
  func foreground(_ job: Job, showsProgress: Bool) {}
  func foregroundEnded(_ job: Job, hasRows: Bool) {}
  func finished(_ job: Job) {}
  /// Once, then until it is over.
  func live(isOver: @escaping @Sendable () -> Bool, _ sample: @escaping @Sendable () async throws -> Value) async throws {
    while !isOver() { await Task.yield() }
    show(try await sample(), options: ShowOptions())
  }
  func board(_ titles: [String], of job: Job?) -> any Board { RecordedBoard(titles, self) }
}

private final class RecordedReply: ReplyOutput {
  private let recorder: Recorder
  init(_ recorder: Recorder) { self.recorder = recorder }
  func put(_ text: String) { recorder.put(text) }
  func end() { recorder.endLine() }
  func note(_ text: String) { recorder.note(text) }
}

/// Columns one after the other, when all are over.
final class RecordedBoard: Board {
  private let columns: Mutex<[(title: String, text: String)]>
  private let recorder: Recorder
  init(_ titles: [String], _ recorder: Recorder) {
    columns = Mutex(titles.map { ($0, "") })
    self.recorder = recorder
  }
  func put(_ column: Int, _ text: String) { columns.withLock { $0[column].text += text } }
  func restart(_ column: Int) { columns.withLock { $0[column].text = "" } }
  func end(_ column: Int, note: String?) { if let note { put(column, " ✗ \(note)") } }
  func close() { for (title, text) in columns.withLock({ $0 }) { recorder.print("\(title): \(text)", raw: false) } }
}

/// Files in memory.
final class MemoryFiles: Files {
  private let files: Mutex<[String: [UInt8]]>
  /// How often one was opened to be read.
  let opens = Mutex(0)
  init(_ files: [String: String] = [:]) { self.files = Mutex(files.mapValues { Array($0.utf8) }) }

  func text(_ path: String) -> String? { files.withLock { $0[path] }.map { String(decoding: $0, as: UTF8.self) } }
  func open(_ path: String) throws(FileProblem) -> any FileReading {
    guard let bytes = files.withLock({ $0[path] }) else { throw FileProblem("No such file or directory") }
    opens.withLock { $0 += 1 }
    return Reading(bytes)
  }
  func create(_ path: String, appending: Bool) throws(FileProblem) -> any FileWriting {
    if path.hasPrefix("/full/") {
      return Writing { (_: [UInt8]) throws(FileProblem) in
        throw FileProblem("No space left on device")
      } close: { _, _ in
        nil
      }
    }
    let start = appending ? files.withLock { $0[path] ?? [] } : []
    return Writing { _ in
    } close: { bytes, ending in
      self.files.withLock { files in
        let place = ending == .unfinished && !appending && files[path] != nil ? path + ".partial" : path
        files[place] = start + bytes
        return place == path ? nil : .beside(place, hasCome: false)
      }
    }
  }
  func ending(_ path: String, _ most: Int) -> [UInt8] { files.withLock { ($0[path] ?? []).suffix(most) } }
  func beginning(_ path: String, _ most: Int) throws(FileProblem) -> (bytes: [UInt8], isWhole: Bool)? {
    guard let bytes = files.withLock({ $0[path] }) else { throw FileProblem("No such file or directory") }
    return (Array(bytes.prefix(most)), bytes.count <= most)
  }
  func matching(_ pattern: String) -> [String] {
    let parts = pattern.split(separator: "*", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return [] }
    return files.withLock { $0.keys.filter { $0.hasPrefix(parts[0]) && $0.hasSuffix(parts[1]) }.sorted() }
  }

  private final class Reading: FileReading {
    private let rest: Mutex<[UInt8]>
    let isPlainFile = true
    init(_ bytes: [UInt8]) { rest = Mutex(bytes) }
    func read() -> [UInt8] {
      rest.withLock { rest in
        defer { rest.removeFirst(min(7, rest.count)) }
        return Array(rest.prefix(7))
      }
    }
  }

  private final class Writing: FileWriting {
    private let bytes = Mutex<(rows: [UInt8], tail: [UInt8])>(([], []))
    private let check: @Sendable ([UInt8]) throws(FileProblem) -> Void
    private let done: @Sendable ([UInt8], FileEnding) -> FilePlace?
    init(
      _ check: @escaping @Sendable ([UInt8]) throws(FileProblem) -> Void, close: @escaping @Sendable ([UInt8], FileEnding) -> FilePlace?
    ) {
      self.check = check
      done = close
    }
    func write(_ more: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
      try check(more)
      bytes.withLock { $0 = ($0.rows + more, tail) }
    }
    func close(_ ending: FileEnding) -> FilePlace? { done(bytes.withLock { $0.rows + $0.tail }, ending) }
  }
}

struct AnyModel: ModelDirectory {
  func problem(with model: ModelName) -> String? { model.provider == "nowhere" ? "there is no provider `nowhere`" : nil }
  func providers() -> [ProviderInfo] {
    [ProviderInfo(id: "sim", baseURL: "built in", keyVariable: nil, isReady: true, exampleModel: "story")]
  }
  func models(of provider: String) async -> Result<[String], Failure> { .success(["fast", "story"]) }
  func use(provider: String, url: String, key: String?) async -> ServerInUse {
    ServerInUse(address: url, models: await models(of: provider))
  }
  var version: Int { 0 }
}

struct NoSystem: SystemAccess {
  func environment(_ name: String) -> String? { name == "USER_NAME" ? "Ada" : nil }
  func run(_ command: String) async throws(FileProblem) -> Int { 0 }
  func edit(_ text: String) async throws(FileProblem) -> String { text + " edited" }
  func clock(_ moment: Duration) -> String { "12:00:00" }
  func timestamp(_ moment: Duration?) -> String { "2026-01-31T23:59:59Z" }
  var process: Int { 4711 }
  func history() -> [String] { ["ask \"one\"", "ask \"two\""] }
}

/// A session with nothing real in it.
struct TestBench {
  let model = ScriptedModel()
  let output = Recorder()
  let files: MemoryFiles
  let session: Session

  init(
    files: [String: String] = [:], arguments: [String] = [], routes: [any CallRoute] = [], ledgers: [any CallLedger] = []
  ) {
    self.files = MemoryFiles(files)
    let time = StillTime()
    let engine = CallEngine(
      limiter: Limiter(time: time), client: model, time: time, routes: CallRoutes(routes, ledgers: ledgers), random: { 0.5 })
    let world = World(engine: engine, output: output, files: self.files, directory: AnyModel(), system: NoSystem())
    session = Session(world: world, settings: Settings(model: ModelName(provider: "sim", name: "fast")), arguments: arguments)
  }

  /// Checks and runs a script, as the program does.
  func run(_ text: String, name: String = "test") async -> Diagnostic? {
    let source = Source(name: name, text: text)
    if let first = session.check(source).first(where: { $0.severity == .error }) { return first }
    if case .failure(let error) = await session.run(source) { return error as? Diagnostic ?? Diagnostic("\(error)", at: nil) }
    return nil
  }
}
