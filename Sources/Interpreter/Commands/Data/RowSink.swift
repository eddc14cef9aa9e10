import Formats
import Threads

/// Rows on their way into a file, written by a thread of their own: each is there within a moment of its turn, many at a time where they
/// come quickly, and whoever makes the rows never waits for a disk unless it is far behind.
final class RowSink: Sendable {
  private struct State {
    var writer: RowWriter
    var pending: [UInt8] = []
    var rowEnds: [Int] = []
    /// The rows that wait.
    var waitingRows: [Value] = []
    /// Rows that came and are not in the file: it took no more.
    var left: [Value] = []
    /// The row that could not be written as one of this file's, or came when others could not.
    var refused: [Value] = []
    /// Rows that were written.
    var count = 0
    var unanswered = 0
    var isCutShort = false
    var replies = KeptReplies.Rows()
    var problem: FileProblem?
    var ending: FileEnding?
    /// Those who wait until there is room.
    var waiting: [Wait] = []
    var closing: CheckedContinuation<Outcome, Never>?
  }

  struct Outcome: Sendable {
    /// Rows that were written, and those of them that hold no answer.
    var (count, unanswered) = (0, 0)
    /// Where they lie, if that is not under the file's name.
    var place: FilePlace?
    /// Why not all could be written.
    var problem: FileProblem?
    /// Whether they stand where they were to, or where `place` says.
    var hasClosed = true
  }

  /// Bytes that may wait to be written.
  private static let room = 1 << 20
  /// How long rows are gathered into one write, in milliseconds.
  private static let gathering = 50
  private let state: Mutex<State>
  private let file: any FileWriting
  private let bell = Bell()
  /// Ends the gathering early.
  private let pause = Bell()
  /// False where the system gave no thread: rows are written by whoever brings them then.
  private let hasThread = Atomic(true)

  init(_ writer: RowWriter, _ file: any FileWriting) {
    state = Mutex(State(writer: writer))
    self.file = file
    if !startThread({ self.run() }) { hasThread.store(false, ordering: .relaxed) }
  }

  var isClosed: Bool { state.withLock { $0.ending != nil } }

  /// Rows without an answer and with one, so far.
  var tally: (unanswered: Int, answered: Int) {
    state.withLock { state in
      let waiting = state.waitingRows.count { $0.rowFailure == nil }
      return (state.unanswered + state.waitingRows.count - waiting, state.count - state.unanswered + waiting)
    }
  }

  /// Whether somebody cancelled the call of one of the rows, or held it back.
  var isCutShort: Bool { state.withLock { $0.isCutShort } }

  /// The replies among the rows.
  var replies: KeptReplies.Rows { state.withLock { $0.replies } }

  /// The rows that were brought and are not in the file, in order. Asked for when it is closed.
  var left: [Value] { state.withLock { $0.left + $0.waitingRows + $0.refused } }

  var isReaderGone: Bool { state.withLock { $0.problem?.isReaderGone ?? false } }

  /// - Throws: what is wrong with the row, or with the writing of those before it.
  func write(_ value: Value) async throws {
    let isFull = try state.withLock { state in
      do {
        if let problem = state.problem { throw problem }
        state.pending += try state.writer.row(value.row(state.writer.format))
      } catch {
        state.refused.append(value)
        throw error
      }
      state.rowEnds.append(state.pending.count)
      state.waitingRows.append(value)
      let failure = value.rowFailure
      if failure?.kind == .cancelled || failure?.kind == .notSent { state.isCutShort = true }
      if case .reply(let row) = value { state.replies.add(row) }
      return state.pending.count > Self.room
    }
    bell.ring()
    if !hasThread.load(ordering: .relaxed) { writePending() }
    guard isFull else { return }
    pause.ring()
    let wait = Wait()
    let isFree = state.withLock { state in
      if state.pending.count <= Self.room || state.problem != nil { return true }
      state.waiting.append(wait)
      return false
    }
    // The row is taken: whoever is cancelled has no more to wait for, and goes on to what is left.
    if !isFree { try? await wait.value() }
  }

  /// Writes what is left and ends the file. Where the task is cancelled, a reader who does not read is not waited for.
  func close(_ ending: FileEnding) async -> Outcome {
    await withTaskCancellationHandler {
      await end(ending)
    } onCancel: {
      file.giveUp()
    }
  }

  private func end(_ ending: FileEnding) async -> Outcome {
    await withCheckedContinuation { continuation in
      state.withLock { state in
        state.ending = ending
        state.closing = continuation
      }
      pause.ring()
      bell.ring()
      if !hasThread.load(ordering: .relaxed) {
        writePending()
        finish(ending)
      }
    }
  }

  // MARK: on the thread

  private func run() {
    while true {
      bell.wait()
      writePending()
      let (ending, isDone) = state.withLock { ($0.ending, $0.pending.isEmpty) }
      if let ending, isDone { return finish(ending) }
      // What comes within the next moment is written with one call; the end does not wait for it.
      if ending == nil { _ = pause.wait(milliseconds: Self.gathering) }
      if state.withLock({ !$0.pending.isEmpty || $0.ending != nil }) { bell.ring() }
    }
  }

  private func writePending() {
    let (bytes, ends, head, tail, hasFailed) = state.withLock { state in
      defer { (state.pending, state.rowEnds) = ([], []) }
      return (state.pending, state.rowEnds, state.writer.head, state.writer.tail, state.problem != nil)
    }
    var written = hasFailed ? 0 : ends.count
    var problem: FileProblem?
    if !bytes.isEmpty, !hasFailed {
      file.stands(behind: head)
      do throws(FileProblem) { try file.write(bytes, rowEnds: ends, tail: tail) } catch { (problem, written) = (error, error.rowsWritten) }
    }
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      state.problem = state.problem ?? problem
      state.count += written
      state.unanswered += state.waitingRows.prefix(written).count { $0.rowFailure != nil }
      state.left += state.waitingRows[written..<ends.count]
      state.waitingRows.removeFirst(ends.count)
      return state.waiting
    }
    for wait in waiting { wait.end() }
  }

  private func finish(_ ending: FileEnding) {
    let (empty, problem, count, unanswered) = state.withLock { state in
      (state.count == 0 ? state.writer.empty : [], state.problem, state.count, state.unanswered)
    }
    var outcome = Outcome(count: count, unanswered: unanswered, problem: problem)
    do throws(FileProblem) {
      if !empty.isEmpty, problem == nil { try file.write(empty, rowEnds: [], tail: []) }
      outcome.place = try file.close(problem == nil ? ending : .unfinished)
    } catch { (outcome.problem, outcome.hasClosed) = (problem ?? error, false) }
    state.withLock { $0.closing }?.resume(returning: outcome)
  }
}
