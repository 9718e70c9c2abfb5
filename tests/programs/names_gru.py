"""Languages told apart by a bidirectional GRU: packed sequences of words of different lengths."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

TOLERANCE = 2e-5  # seen: 1e-6; Adam magnifies last digits

WORDS = {
    "Italian": "Abba Abelli Basile Bellini Carbone Conti Esposito Ferrari Gallo Lombardi Marino Moretti Rossi Russo",
    "Japanese": "Abe Endo Fujita Hashimoto Honda Ikeda Inoue Ishikawa Kobayashi Matsumoto Nakamura Sato Suzuki Tanaka",
    "Czech": "Adamec Benes Blazek Cermak Dolezal Havel Hruska Jelinek Kolar Kovar Novak Prochazka Svoboda Vesely",
}
LABELS = list(WORDS)
PAIRS = [(word.lower(), label) for label, words in WORDS.items() for word in words.split()]


def collate(batch):
    words, labels = zip(*batch)
    rows = [torch.tensor([ord(c) - ord("a") + 1 for c in word]) for word in words]
    lengths = torch.tensor([len(row) for row in rows])
    return pad_sequence(rows, batch_first=True), lengths, torch.tensor([LABELS.index(label) for label in labels])


class Classifier(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding(27, 12, padding_idx=0)
        self.gru = nn.GRU(12, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(4 * hidden, len(LABELS))

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        output, last = self.gru(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        mean = output.sum(dim=1) / lengths.unsqueeze(1)
        return self.out(torch.cat([mean, last[0], last[1]], dim=1))


torch.manual_seed(5)
loader = DataLoader(PAIRS, batch_size=7, shuffle=True, collate_fn=collate)
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
losses = []
for epoch in range(6):
    correct = 0
    for words, lengths, labels in loader:
        optimizer.zero_grad(set_to_none=True)
        scores = model(words, lengths)
        loss = criterion(scores, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct += (scores.argmax(1) == labels).sum().item()
    print(f"{epoch}: {correct} of {len(PAIRS)}, loss {losses[-1]:.4f}")
