/// Up and Down through the entries that begin as the line did when the walk began.
struct HistoryWalk {
  private let entries: [String]
  private let draft: String
  /// One behind the last is the draft.
  private var place: Int

  init(_ lines: [String], from draft: String) {
    entries = draft.isEmpty ? lines : lines.filter { $0.hasPrefix(draft) && $0 != draft }
    self.draft = draft
    place = entries.count
  }

  /// The text one step on; nil where there is none.
  mutating func step(_ by: Int) -> String? {
    let wanted = place + by
    guard wanted >= 0, wanted <= entries.count else { return nil }
    place = wanted
    return current
  }

  var current: String { place == entries.count ? draft : entries[place] }
}
