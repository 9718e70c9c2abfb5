"""Graph convolution and graph attention: masks, leaky ReLU, dropout, elu, nodes to be classified."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam

TOLERANCE = 5e-6  # seen: 3e-7; Adam


class GraphConv(nn.Module):
    def __init__(self, input_dim, output_dim):
        super().__init__()
        self.kernel = nn.Parameter(torch.Tensor(input_dim, output_dim))
        nn.init.xavier_normal_(self.kernel)
        self.bias = nn.Parameter(torch.zeros(output_dim))

    def forward(self, x, adj):
        return torch.mm(adj, torch.mm(x, self.kernel)) + self.bias


class GraphAttentionLayer(nn.Module):
    def __init__(self, in_features, out_features, n_heads, concat=True, dropout=0.4, leaky_relu_slope=0.2):
        super().__init__()
        self.n_heads, self.concat, self.dropout = n_heads, concat, dropout
        self.n_hidden = out_features // n_heads if concat else out_features
        self.W = nn.Parameter(torch.empty(size=(in_features, self.n_hidden * n_heads)))
        self.a = nn.Parameter(torch.empty(size=(n_heads, 2 * self.n_hidden, 1)))
        self.leakyrelu = nn.LeakyReLU(leaky_relu_slope)
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adj_mat):
        n_nodes = h.shape[0]
        h_transformed = F.dropout(torch.mm(h, self.W), self.dropout, training=self.training)
        h_transformed = h_transformed.view(n_nodes, self.n_heads, self.n_hidden).permute(1, 0, 2)
        source = torch.matmul(h_transformed, self.a[:, : self.n_hidden, :])
        target = torch.matmul(h_transformed, self.a[:, self.n_hidden :, :])
        e = self.leakyrelu(source + target.mT)
        attention = torch.where(adj_mat > 0, e, -9e16 * torch.ones_like(e))
        attention = F.dropout(F.softmax(attention, dim=-1), self.dropout, training=self.training)
        h_prime = torch.matmul(attention, h_transformed)
        if self.concat:
            return h_prime.permute(1, 0, 2).contiguous().view(n_nodes, self.n_heads * self.n_hidden)
        return h_prime.mean(dim=0)


class GCN(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.gc1, self.gc2 = GraphConv(dims[0], dims[1]), GraphConv(dims[1], dims[2])
        self.dropout = nn.Dropout(0.3)

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj / adj.sum(1, keepdim=True)))
        return F.log_softmax(self.gc2(self.dropout(x), adj / adj.sum(1, keepdim=True)), dim=1)


class GAT(nn.Module):
    def __init__(self, dims, n_heads=4):
        super().__init__()
        self.gat1 = GraphAttentionLayer(dims[0], dims[1], n_heads)
        self.gat2 = GraphAttentionLayer(dims[1], dims[2], 1, concat=False)

    def forward(self, x, adj):
        x = F.elu(self.gat1(x, adj))
        return F.log_softmax(F.elu(self.gat2(x, adj)), dim=1)


torch.manual_seed(13)
labels = torch.arange(60) % 3
features = (torch.rand(60, 20) < 0.1 + 0.3 * F.one_hot(labels, 3).repeat_interleave(7, 1)[:, :20]).float()
link = torch.rand(60, 60) < torch.where(labels[:, None] == labels, 0.25, 0.03)
adj = (link | link.T | torch.eye(60, dtype=torch.bool)).float()
idx = torch.randperm(60)
mask_train, mask_test = idx[:30], idx[30:]
criterion = nn.NLLLoss()
losses = []
for net in (GCN, GAT):
    model = net((20, 16, 3))
    optimizer = Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    for _ in range(25):
        model.train()
        optimizer.zero_grad()
        loss = criterion(model(features, adj)[mask_train], labels[mask_train])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        output = model(features, adj)
        right = output[mask_test].max(dim=1)[1].eq(labels[mask_test]).double().sum() / len(mask_test)
    print(f"{net.__name__}: train loss {loss.item():.4f}, test accuracy {right.item():.3f}")
