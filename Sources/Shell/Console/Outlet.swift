import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is on its way to a descriptor. A thread of its own writes it: a reader who stops reading holds up nobody but those who wait for
/// their own output.
final class Outlet: Sendable {
  private let descriptor: Int32
  private let name: String
  let isTerminal: Bool
  private let take: @Sendable () -> [UInt8]
  private let bell = Bell()
  private let written = Acknowledgement()
  private let hasThread = Atomic(false)
  private let isWriting = Atomic(false)
  /// Whether what is to be written need not wait for more.
  private let isUrgent = Atomic(false)
  private let isSoon = Atomic(false)
  private let isGathering = Atomic(false)
  private let gathered = Bell()
  /// How long what is printed is gathered into one write, in milliseconds.
  private static let gathering = 50
  private let failure = Mutex<OutputProblem?>(nil)
  /// Who waits for what was handed over until they asked.
  private let waits = Mutex<[(asked: Int, wait: Wait)]>([])

  /// - Parameter take: gives what is to be written now, and keeps nothing of it; called on the outlet's thread.
  init(_ descriptor: Int32, named name: String, take: @escaping @Sendable () -> [UInt8]) {
    (self.descriptor, self.name, self.take) = (descriptor, name, take)
    isTerminal = Descriptor.isTerminal(descriptor)
  }

  /// There is something to write. Never blocks.
  func ring() {
    isUrgent.store(true, ordering: .releasing)
    wake()
    if isGathering.load(ordering: .acquiring) { gathered.ring() }
  }

  /// There is something to write within a moment: with what else comes until then.
  func soon() {
    if !isSoon.exchange(true, ordering: .acquiringAndReleasing) { wake() }
  }

  private func wake() {
    if !hasThread.load(ordering: .relaxed), !hasThread.exchange(true, ordering: .acquiringAndReleasing) {
      guard startThread({ [self] in run() }) else {
        // No thread to be had: it is written here.
        while writeOnce() {}
        return hasThread.store(false, ordering: .releasing)
      }
    }
    bell.ring()
  }

  /// Whether the system has taken everything that was handed to it.
  var isIdle: Bool { !isWriting.load(ordering: .acquiring) }

  /// Whether the system takes no more now: the reader has not read what is there.
  var isStuck: Bool {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&waiting, 1, 0) == 0
  }

  /// Why nothing more can be written, once that is so.
  var problem: OutputProblem? { failure.withLock { $0 } }

  /// Returns when everything is written that there is now, or when the task is cancelled; takes no thread meanwhile.
  func drained() async {
    let (asked, wait) = (written.ask(), Wait())
    waits.withLock { $0.append((asked, wait)) }
    // Whatever the thread was about, it looks once more.
    ring()
    // Who is cancelled waits no more, and sees to that himself.
    try? await wait.value()
    waits.withLock { $0.removeAll { $0.wait === wait } }
  }

  /// Waits until everything is written that there is now. Blocks.
  ///
  /// - Parameter gaveUp: asked twenty times a second.
  /// - Returns: false where it was given up.
  @discardableResult
  func drain(unless gaveUp: () -> Bool) -> Bool {
    let asked = written.ask()
    ring()
    while !written.wait(for: asked, milliseconds: 50) {
      if gaveUp() { return false }
      ring()
    }
    return true
  }

  private func run() {
    while true {
      if writeOnce() { continue }
      bell.wait()
      if !isUrgent.load(ordering: .acquiring) {
        isGathering.store(true, ordering: .sequentiallyConsistent)
        if !isUrgent.load(ordering: .sequentiallyConsistent) { _ = gathered.wait(milliseconds: Self.gathering) }
        isGathering.store(false, ordering: .releasing)
      }
      // Before it is taken: what is left behind that asks anew.
      isSoon.store(false, ordering: .sequentiallyConsistent)
      isUrgent.store(false, ordering: .sequentiallyConsistent)
    }
  }

  /// False where there was nothing to write.
  private func writeOnce() -> Bool {
    let asked = written.asked
    isWriting.store(true, ordering: .releasing)
    let bytes = take()
    if !bytes.isEmpty, problem == nil {
      do throws(OutputProblem) { try Descriptor.write(bytes, to: descriptor, named: name) } catch {
        failure.withLock { $0 = error }
      }
    }
    isWriting.store(false, ordering: .releasing)
    written.acknowledge(asked)
    for (number, wait) in waits.withLock({ $0 }) where number <= asked { wait.end() }
    return !bytes.isEmpty
  }
}
