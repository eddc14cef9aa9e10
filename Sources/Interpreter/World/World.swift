import Chat
import Formats
import Scheduling

/// Everything the interpreter reaches outside itself. The shell plugs in the real things, a test whatever it likes.
public struct World: Sendable {
  public var engine: CallEngine
  public var output: any Output
  public var files: any Files
  public var directory: any ModelDirectory
  public var system: any SystemAccess
  /// Lets the session be steered from elsewhere; nil where that cannot be.
  public var remote: (any RemoteControl)?
  /// What the screen shows of replies that stream in.
  public let tails: Tails
  /// Where light work of rows runs, to save the wake-up of another thread a reply; nil for the global pool.
  public var executor: (any TaskExecutor)?

  public init(
    engine: CallEngine, output: any Output, files: any Files, directory: any ModelDirectory, system: any SystemAccess,
    remote: (any RemoteControl)? = nil, tails: Tails = Tails(), executor: (any TaskExecutor)? = nil
  ) {
    self.engine = engine
    self.output = output
    self.files = files
    self.directory = directory
    self.system = system
    self.remote = remote
    self.tails = tails
    self.executor = executor
  }
}

/// Where values and messages go. Values to standard output, everything else to standard error.
public protocol Output: Sendable {
  /// Shows a value as the prompt shows it: a list of rows as a table. Like everything here that is async, it returns when its reader
  /// keeps up, and takes no thread until then.
  func show(_ value: Value, options: ShowOptions) async throws
  /// A line of the script's own output.
  func print(_ text: String, raw: Bool) async throws
  /// Where a reply is shown as it arrives.
  ///
  /// - Parameters:
  ///   - job: what it runs for: only what has the foreground grows in place, anything else shows whole lines.
  ///   - raw: control characters pass, where the output is no terminal.
  func reply(named name: String, of job: Job?, raw: Bool) -> any ReplyOutput
  /// A line for the person, not for the pipe.
  func note(_ text: String)
  /// A job runs in the foreground until `foregroundEnded`: keys steer it, and its progress is shown where it does not show itself.
  func foreground(_ job: Job, showsProgress: Bool)
  ///
  /// - Parameter hasRows: false for a call that stands alone: its failure is told where its value goes.
  func foregroundEnded(_ job: Job, hasRows: Bool)
  /// A background job has ended.
  func finished(_ job: Job)
  /// Columns for replies that stream side by side.
  ///
  /// - Parameter job: what they run for, where that is not in the foreground.
  func board(_ titles: [String], of job: Job?) -> any Board
  /// Shows what `sample` gives, again whenever it changes, in its place where there is a terminal. Ends with a key there, else when
  /// `isOver` says so.
  func live(isOver: @escaping @Sendable () -> Bool, _ sample: @escaping @Sendable () async throws -> Value) async throws
}

/// A reply on its way to the output, piece by piece.
public protocol ReplyOutput: Sendable {
  func put(_ text: String) async throws
  /// What came is all there is, or is no answer: what follows begins on a line of its own.
  func end() async throws
  /// A line for the person about this reply: in the background it names it, and never stands within another's lines.
  func note(_ text: String)
}

public struct ShowOptions: Sendable {
  /// All rows, not only the first and last.
  public var all = false
  /// No cell is cut.
  public var wide = false
  /// The fields of records that become columns; nil for all.
  public var columns: [String]?
  /// A reply is shown with all there is to it, not only its text.
  public var whole = false
  /// More rows than the terminal has go through the user's pager.
  public var paged = false

  public init() {}
}

/// What is wrong with a file, in the system's words.
public struct FileProblem: Error, Sendable {
  public var message: String
  /// Of the rows that were to be written, those that were, whole.
  public var rowsWritten = 0
  /// What can be done about it.
  public var help: String?
  /// Nobody reads on, who did: that is how he says that he has enough.
  public var isReaderGone = false
  public init(_ message: String, rowsWritten: Int = 0, help: String? = nil) {
    (self.message, self.rowsWritten, self.help) = (message, rowsWritten, help)
  }
}

public protocol Files: Sendable {
  /// `-` is standard input.
  func open(_ path: String) throws(FileProblem) -> any FileReading
  /// `-` is standard output. A file is written beside the old one, and takes its name when it is closed; `appending` adds to its end
  /// instead. A named pipe is waited for until somebody reads it.
  ///
  /// - Throws: where somebody writes it already.
  func create(_ path: String, appending: Bool) async throws -> any FileWriting
  /// Why rows cannot be written there now; nil where nothing is known to be in the way.
  func problem(writing path: String) -> String?
  /// The last bytes of a file, no more than so many; none where there is no file, or an empty one.
  func ending(_ path: String, _ most: Int) -> [UInt8]
  /// What stands at a file's beginning, and whether that is all of it; nil of what is no plain file, which is not touched.
  func beginning(_ path: String, _ most: Int) throws(FileProblem) -> (bytes: [UInt8], isWhole: Bool)?
  /// The files whose names fit a pattern (`*`, `?`, `[…]`), sorted.
  func matching(_ pattern: String) -> [String]
  /// The file itself, where a path names a link to it.
  func resolved(_ path: String) -> String
  /// Tells one file from all others, by whatever path it is reached; nil where there is none.
  func identity(_ path: String) -> String?
}

extension Files {
  public func problem(writing path: String) -> String? { nil }
  public func resolved(_ path: String) -> String { path }
  public func identity(_ path: String) -> String? { path }
}

public protocol FileReading: AnyObject, Sendable {
  /// Whether a read is over at once: it is a file, no pipe or terminal that somebody may never write to.
  var isPlainFile: Bool { get }
  /// The next piece; empty at the end.
  func read() throws(FileProblem) -> [UInt8]
  /// Returns when a read is over at once: waits, and takes no thread of the tasks' meanwhile.
  ///
  /// - Throws: `CancellationError` where the task is cancelled first.
  func ready() async throws
}

extension FileReading {
  public func ready() async throws {}
}

public protocol FileWriting: AnyObject, Sendable {
  /// Writes behind what there is, in the place of the last tail.
  ///
  /// - Parameters:
  ///   - rowEnds: where the rows in `bytes` end. Of a write that fails, every row that was written whole stays.
  ///   - tail: what makes the file whole as it is now (the `]` of JSON).
  func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem)
  /// What a table's rows stand behind, from now on: a file that somebody empties meanwhile begins with it again.
  func stands(behind head: [UInt8])
  /// Ends the writing; nothing is written after it.
  ///
  /// - Returns: where the rows lie, if that is not under the file's name.
  func close(_ ending: FileEnding) throws(FileProblem) -> FilePlace?
  /// From now on nobody is waited for who has stopped reading (a pipe's other end): what he does not take at once fails. From any thread.
  func giveUp()
}

extension FileWriting {
  public func giveUp() {}
  public func stands(behind head: [UInt8]) {}
  public func write(_ bytes: [UInt8]) throws(FileProblem) { try write(bytes, rowEnds: [bytes.count], tail: []) }
}

/// Where rows lie that have not taken the name of their file.
public enum FilePlace: Sendable, Equatable {
  /// There were none.
  case nowhere
  /// - Parameter hasCome: whether the file that stands in their place has come since the writing began.
  case beside(String, hasCome: Bool)
}

/// What becomes of a file that was written.
public enum FileEnding: Sendable {
  /// It replaces the old one.
  case whole
  /// Not all came that should have: it takes the name where no file stands, else it stays beside the old one.
  case unfinished
}

/// Which models there are.
public protocol ModelDirectory: Sendable {
  /// Nil if requests can go to this model; else why not.
  func problem(with model: ModelName) -> String?
  func providers() -> [ProviderInfo]
  func models(of provider: String) async -> Result<[String], Failure>
  /// Sends a provider's requests to another address from now on: the one given, or its `/v1` where only that knows models.
  ///
  /// - Parameter key: as the environment has it; nil for none.
  func use(provider: String, url: String, key: String?) async -> ServerInUse
  /// Changes with every `use`: a request that names it goes where its provider was then.
  var version: Int { get }
}

/// What `use` found.
public struct ServerInUse: Sendable {
  /// Where requests go now.
  public var address: String
  /// What a person should be warned of.
  public var warning: String?
  public var models: Result<[String], Failure>

  public init(address: String, warning: String? = nil, models: Result<[String], Failure>) {
    (self.address, self.warning, self.models) = (address, warning, models)
  }
}

public struct ProviderInfo: Sendable {
  public var id: String
  public var baseURL: String
  public var keyVariable: String?
  public var isReady: Bool
  public var exampleModel: String?

  public init(id: String, baseURL: String, keyVariable: String?, isReady: Bool, exampleModel: String?) {
    self.id = id
    self.baseURL = baseURL
    self.keyVariable = keyVariable
    self.isReady = isReady
    self.exampleModel = exampleModel
  }
}

/// The system around the shell.
public protocol SystemAccess: Sendable {
  func environment(_ name: String) -> String?
  /// Runs a command of the system's shell in the foreground; returns its exit status.
  func run(_ command: String) async throws(FileProblem) -> Int
  /// Opens the user's editor ($VISUAL, $EDITOR, vi) on a text; returns it as it was left.
  func edit(_ text: String) async throws(FileProblem) -> String
  /// The lines of the prompt's history, oldest first.
  func history() -> [String]
  /// Local time at a moment of the session's timekeeper, `14:02:11`. The same moment is always the same time.
  func clock(_ moment: Duration) -> String
  /// UTC at such a moment, as ISO 8601 writes it; nil for what the clock shows now.
  func timestamp(_ moment: Duration?) -> String
  /// The number of this process.
  var process: Int { get }
}
