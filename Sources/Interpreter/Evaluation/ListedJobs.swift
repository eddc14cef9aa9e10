import Language
import Scheduling

/// The jobs that have numbers, in turn.
///
/// What they gave is there for whoever asks by the number, but not for ever: of those that are over, the latest keeps its rows, and those
/// before it as many as are kept in all. A variable that holds a job keeps what it gave all the same.
struct ListedJobs: Sendable {
  private struct Entry: Sendable {
    var kept: JobHandle?
    weak var held: JobHandle?
    /// What stands for it then.
    var remains: JobHandle?

    var handle: JobHandle? { kept ?? held ?? remains }
  }

  private var entries: [Entry] = []
  /// Those that are over, in the order of their ends, and how many rows they gave.
  private var ended: [(job: Int, rows: Int)] = []
  /// How many there may be before it is looked through again.
  private var long = 100
  /// Numbers that people see have no gaps.
  private var nextNumber = 1
  static let mostRows = 10_000

  var handles: [JobHandle] { entries.compactMap(\.handle) }

  mutating func add(_ handle: JobHandle) {
    handle.job.number = nextNumber
    nextNumber += 1
    // What is over leaves the list when it grows long; its variable keeps the result.
    if entries.count > long {
      entries.removeAll { $0.handle?.job.isOver ?? true }
      let left = Set(entries.compactMap { $0.handle?.job.id })
      ended.removeAll { !left.contains($0.job) }
      long = max(100, 2 * entries.count)
    }
    entries.append(Entry(kept: handle, held: handle))
  }

  /// A job is over.
  ///
  /// - Returns: those whose rows are kept no longer, and what stands for each.
  mutating func over(_ handle: JobHandle) -> [(handle: JobHandle, remains: JobHandle)] {
    ended.append((handle.job.id, handle.rows))
    var sum = 0
    var gone: Set<Int> = []
    for (place, job) in ended.enumerated().reversed() {
      sum += job.rows
      if sum > Self.mostRows, place < ended.count - 1 { gone.insert(job.job) }
    }
    if gone.isEmpty { return [] }
    ended.removeAll { gone.contains($0.job) }
    var emptied: [(handle: JobHandle, remains: JobHandle)] = []
    for index in entries.indices {
      guard let kept = entries[index].kept, gone.contains(kept.job.id) else { continue }
      let remains = JobHandle(remainsOf: kept)
      (entries[index].kept, entries[index].remains) = (nil, remains)
      emptied.append((kept, remains))
    }
    return emptied
  }
}

extension JobHandle {
  /// How many rows are kept with it.
  fileprivate var rows: Int { soFar().count }

  /// What is left of a job that is over when its rows are not kept any more.
  fileprivate convenience init(remainsOf other: JobHandle) {
    self.init(job: other.job, variable: other.variable, isEmptied: true)
    let name = other.job.number.map { "%\($0)" } ?? other.job.name
    var error: any Error = Diagnostic(
      "the rows of \(name) are not kept any more", at: nil,
      help: "of jobs that are over, the last \(ListedJobs.mostRows) rows are kept; a variable keeps its own")
    if case .failure(let failure)? = other.finished { error = failure }
    finish(.failure(error))
  }
}
