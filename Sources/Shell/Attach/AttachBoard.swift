import Terminal

/// The jobs of another session as rows of a screen: a progress line each, below it how its calls failed and whom it waits for.
struct AttachBoard {
  private let status: SessionStatus
  /// The job that keys are for.
  private let chosen: String?

  init(_ status: SessionStatus, chosen: String?) {
    (self.status, self.chosen) = (status, chosen)
  }

  func rows(columns: Int, height: Int, dim: (String) -> StyledText) -> [StyledText] {
    let running = status.running
    if running.isEmpty {
      let last = status.jobs.last.map { "; the last, \($0.name), is \($0.line.state ?? "over")" } ?? ""
      return [dim(Table.cut(ControlGuard.line(" nothing runs\(last)"), to: max(1, columns - 1)))]
    }
    var rows: [StyledText] = []
    // The chosen job stands lowest, where it is never left out.
    for job in running.filter({ $0.name != chosen }) + running.filter({ $0.name == chosen }) {
      let isMarked = running.count > 1 && job.name == chosen
      rows.append(StyledText((isMarked ? "▸" : running.count > 1 ? " " : "") + job.line.text(width: max(1, columns - 1))))
      for text in [job.failures].compactMap({ $0 }) + job.lanes {
        rows.append(dim(Table.cut("     " + ControlGuard.line(text), to: max(1, columns - 1))))
      }
    }
    guard rows.count > height else { return rows }
    let kept = rows.suffix(max(1, height - 1))
    return [dim("  … \(rows.count - kept.count) more rows above")] + kept
  }
}
