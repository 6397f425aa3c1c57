"""The pages of the example app."""

from django.urls import path

from apps.articles import views

urlpatterns = [
    path("", views.home, name="home"),
    path("articles/<int:pk>/", views.article, name="article"),
    path("articles/<int:pk>/upload/", views.upload, name="article_upload"),
]
