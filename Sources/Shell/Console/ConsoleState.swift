import Scheduling
import Terminal
import Threads

/// What the console keeps, under its lock: what is to be written, and what stands on the terminal.
final class ConsoleState: Sendable {
  struct State {
    /// What is to be written, for standard output and standard error. Where they are one file, all goes to the first: it keeps its
    /// order.
    var waiting: [[UInt8]] = [[], []]
    var stage: Stage
    /// Standard output, where it is no terminal.
    var guarding = ControlGuard(for: .program)
    var isMidLine = false
    /// The reply that has the foreground, and its job.
    var streaming: (reply: ObjectIdentifier, job: Job?)?
    /// What is to be seen once that reply is over: nothing from elsewhere stands between two of its lines.
    var held: [(text: String, isNote: Bool)] = []
    /// The prompt's line that is being run; nil for a script.
    var line: Int?
    /// Jobs in the foreground, the latest last.
    var foreground: [(job: Job, showsProgress: Bool)] = []
    var board: LiveBoard?
    var lastPlainProgress: Duration = .zero
    var sampler: Task<Void, Never>?
    /// How far the job in the foreground is, as last drawn.
    var progress: [StyledText] = []
    var holdsKeys = false
    /// Somebody else reads standard input.
    var hasLeftInput = false
    fileprivate var dropped = 0
    fileprivate let outputs: Outputs
  }

  /// Where the two outputs go.
  struct Outputs {
    let outIsTerminal: Bool
    /// Drawn on the stage: standard output, standard error.
    let outIsOnStage: Bool
    let errorIsOnStage: Bool
    /// The places in `waiting`.
    let error: Int
    let stage: Int
  }

  private let mutex: Mutex<State>
  let outIsOnStage: Bool

  init(isDumb: Bool) {
    let (out, error) = (Descriptor.isTerminal(1), Descriptor.isTerminal(2))
    let areSame = Descriptor.areSame(1, 2)
    let outputs = Outputs(
      outIsTerminal: out, outIsOnStage: out && (areSame || !error), errorIsOnStage: error, error: areSame ? 0 : 1,
      stage: areSame || !error ? 0 : 1)
    outIsOnStage = outputs.outIsOnStage
    mutex = Mutex(State(stage: Stage(isPlain: isDumb), outputs: outputs))
  }

  func withLock<Result>(_ body: (inout State) throws -> sending Result) rethrows -> Result {
    try mutex.withLock { try body(&$0) }
  }

  /// For an outlet: what is to be written now.
  func take(_ index: Int) -> [UInt8] {
    mutex.withLock { state in
      var taken: [UInt8] = []
      swap(&taken, &state.waiting[index])
      return taken
    }
  }
}

extension ConsoleState.State {
  /// Messages beyond this are dropped where nobody reads them.
  private static let mostMessages = 8 << 20

  mutating func draw(_ drawing: Drawing) { waiting[outputs.stage] += drawing.bytes }

  /// Text for standard output as it stands, where that is not on the stage.
  mutating func out(_ text: String) {
    guard !text.isEmpty else { return }
    isMidLine = !text.hasSuffix("\n")
    if outputs.outIsTerminal {
      var drawing = Drawing()
      drawing.text(text)
      waiting[0] += drawing.bytes
    } else {
      waiting[0] += text.utf8
    }
  }

  /// What asks for a line: to standard error where standard output goes to a file.
  mutating func prompt(_ text: String) {
    if outputs.outIsTerminal { return out(text) }
    var drawing = Drawing()
    drawing.text(text)
    waiting[outputs.error] += drawing.bytes
  }

  /// Whole lines on the stage.
  mutating func lines(_ text: String, wraps: Bool, _ columns: Int) {
    stage.fit(columns)
    draw(stage.lines(text, wraps: wraps))
  }

  mutating func stream(_ text: String, _ columns: Int) {
    guard outputs.outIsOnStage else { return out(text) }
    stage.fit(columns)
    draw(stage.stream(text))
  }

  mutating func endStream(_ columns: Int) {
    streaming = nil
    if outputs.outIsOnStage {
      stage.fit(columns)
      draw(stage.endStream())
    } else if isMidLine {
      out("\n")
    }
    for (text, isNote) in held {
      if isNote { note(text, columns) } else if outputs.outIsOnStage { lines(text, wraps: false, columns) } else { out(text) }
    }
    held = []
  }

  /// Keeps something until the reply that has the foreground is over; false where none has it.
  mutating func hold(_ text: String, isNote: Bool) -> Bool {
    guard streaming != nil else { return false }
    held.append((text, isNote))
    return true
  }

  mutating func note(_ text: String, _ columns: Int) {
    if outputs.errorIsOnStage { return lines(text + "\n", wraps: true, columns) }
    // A reader who has stopped is told later how much was left out.
    if waiting[outputs.error].count > Self.mostMessages {
      dropped += 1
      return
    }
    if outputs.error == 0, isMidLine { out("\n") }
    if dropped > 0 { waiting[outputs.error] += "… \(dropped) messages were left out, for nobody read them\n".utf8 }
    dropped = 0
    waiting[outputs.error] += (text + "\n").utf8
  }

  /// Rows below everything else.
  mutating func show(_ rows: [StyledText], cursor: LiveBlock.Cursor? = nil, _ columns: Int) {
    guard outputs.errorIsOnStage else { return }
    stage.fit(columns)
    draw(stage.show(rows, cursor: cursor))
  }

  mutating func clearStage(_ columns: Int) {
    progress = []
    guard outputs.outIsOnStage || outputs.errorIsOnStage else { return }
    stage.fit(columns)
    draw(stage.clear())
  }
}
