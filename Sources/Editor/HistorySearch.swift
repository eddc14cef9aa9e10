/// ^R: the newest entry that holds what is typed, and older ones at each ^R.
struct HistorySearch {
  private let entries: [String]
  /// The line before the search, for those who give it up.
  let original: (text: String, cursor: Int)
  private(set) var query = ""
  private var place: Int
  private(set) var found = true

  init(_ lines: [String], original: (text: String, cursor: Int)) {
    entries = lines
    self.original = original
    place = lines.count
  }

  var match: String { entries.indices.contains(place) ? entries[place] : original.text }

  mutating func type(_ scalar: Unicode.Scalar) {
    query.unicodeScalars.append(scalar)
    look(from: min(place, entries.count - 1), by: -1)
  }

  mutating func deleteLast() {
    if !query.isEmpty { query.removeLast() }
    place = entries.count
    found = true
    if !query.isEmpty { look(from: entries.count - 1, by: -1) }
  }

  mutating func older() { look(from: place - 1, by: -1) }
  mutating func newer() { look(from: place + 1, by: 1) }

  private mutating func look(from start: Int, by step: Int) {
    if query.isEmpty { return }
    var index = start
    while entries.indices.contains(index) {
      if entries[index].contains(query) {
        (place, found) = (index, true)
        return
      }
      index += step
    }
    found = false
  }
}
