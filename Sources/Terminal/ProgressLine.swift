import TextWidth

/// How far a job is, as one line that fits a width.
public struct ProgressLine: Sendable {
  public var name: String
  public var done = 0
  /// Nil while the end is not known.
  public var total: Int?
  public var inFlight = 0
  public var limit = 0
  /// What last moved the limit, where that is news.
  public var change: String?
  public var failed = 0
  public var retried = 0
  /// Rows that wait for another try.
  public var waiting = 0
  /// Rows a second; tokens a second where they are counted.
  public var rate = ""
  public var elapsed = ""
  public var eta: String?
  public var state: String?
  /// Whom it waits for: `openai/a: 0 requests left until 14:02:10`.
  public var waitsFor: String?

  public init(name: String) {
    self.name = name
  }

  /// ` stories ━━━━━━━━━╸      2/3 · 1 in flight of 8 · 0 failed · 41 tok/s · 2.1s`
  public func text(width: Int) -> String {
    let title = " \(ControlGuard.line(name)) "
    let room = width - DisplayWidth.of(title) - DisplayWidth.of(words) - 4
    guard total != nil, room >= 6 else { return Table.cut(title + words, to: max(1, width - 1)) }
    return title + bar(min(room, 28)) + "  " + words
  }

  /// For a log, where a bar says nothing.
  public var plain: String { "\(ControlGuard.line(name)): \(words)" }

  private var words: String {
    var parts = [total.map { "\(done)/\($0)" } ?? "\(done)"]
    // A narrow window shows how the line begins.
    if let state { parts.append(state) }
    parts.append("\(inFlight) in flight of \(limit)\(change.map { " (\($0))" } ?? "")")
    parts.append("\(failed) failed")
    if retried > 0 { parts.append("\(retried) retried\(waiting > 0 ? ", \(waiting) waiting" : "")") }
    if let waitsFor { parts.append(ControlGuard.line(waitsFor)) }
    if !rate.isEmpty { parts.append(rate) }
    parts.append(elapsed)
    if let eta { parts.append("eta \(eta)") }
    return parts.joined(separator: " · ")
  }

  private func bar(_ width: Int) -> String {
    guard let total, total > 0 else { return String(repeating: " ", count: width) }
    let halves = min(width * 2, width * 2 * done / total)
    let full = String(repeating: "━", count: halves / 2) + (halves % 2 == 1 ? "╸" : "")
    return full + String(repeating: " ", count: width - (halves + 1) / 2)
  }
}
